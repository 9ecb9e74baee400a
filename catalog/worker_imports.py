"""Imported first by the worker of a query: hides numpy and pandas, which pyarrow would import and nothing there needs.

Without them a worker is ready in half the time, which is most of what a small query takes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final

HIDDEN: Final = frozenset(("numpy", "pandas"))


class _Hider:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _Hider)
