"""`manage.py` with small chunks, which kills itself at a named point of an ingestion: ``python -m … COUNT POINT …``.

Points are those of `export_fault_point`. COUNT 0 kills nothing; the command ``dump`` prints all that is stored.
"""

from __future__ import annotations

import os
import sys

from tests.distillation.export_fault_point import arm

CHUNK_LINES = 20


def main() -> None:
    import django
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    from distillation import ingestion

    ingestion.CHUNK_LINES = CHUNK_LINES
    count, point, *command = sys.argv[1:]
    if command == ["dump"]:
        from tests.distillation.run_lines import assert_conserved, stored

        assert_conserved()
        sys.stdout.write(repr(stored()))
        return
    if int(count):
        arm(point, int(count))
    execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main()
