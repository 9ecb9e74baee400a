"""`manage.py` with a further PRAGMA on every connection to SQLite, to meet limits that a healthy disk does not have.

Run as ``python -m tests.e2e.with_pragma "PRAGMA query_only=1" serve ...``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.processes import ROOT


def starter(pragma: str) -> Callable[..., subprocess.Popen[bytes]]:
    """Return what takes the place of `tests.processes.start_manage`."""

    def start(*arguments: str, environment: dict[str, str], log_path: Path) -> subprocess.Popen[bytes]:
        with log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.with_pragma", pragma, *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    return start


def main() -> None:
    import django
    from django.conf import settings
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    settings.DATABASES["default"]["OPTIONS"]["init_command"] += sys.argv[1]
    execute_from_command_line(["manage.py", *sys.argv[2:]])


if __name__ == "__main__":
    main()
