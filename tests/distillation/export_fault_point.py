"""`manage.py` that kills itself at a named point of an export: ``python -m … COUNT POINT export_sft …``.

A point is a function of the product; the process dies when it has returned for the COUNT-th time, or with ``-`` before
the point's name where it is called. No handler runs, nothing is flushed.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from typing import Any


def arm(point: str, count: int) -> None:
    is_before = point.startswith("-")
    module_name, _, name = point.removeprefix("-").rpartition(".")
    module = importlib.import_module(module_name)
    inner = getattr(module, name)
    passed = 0

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:
        nonlocal passed
        passed += 1
        if passed == count and is_before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = inner(*args, **kwargs)
        if passed == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, name, outer)


def main() -> None:
    import django
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    from distillation import export_records

    export_records.ROWS_OF_A_TRANSACTION = 10
    arm(sys.argv[2], int(sys.argv[1]))
    execute_from_command_line(["manage.py", *sys.argv[3:]])


if __name__ == "__main__":
    main()
