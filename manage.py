#!/usr/bin/env python
"""Entry point of the management commands."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit("Django is not installed here. Run 'make install' and use .venv/bin/python.") from error
    from django.core.exceptions import ImproperlyConfigured

    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # `manage.py … | head` has seen enough. What is still in the buffer has to go somewhere when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None  # 128 + SIGPIPE, as a shell reports it
    except ImproperlyConfigured as error:
        # The message names the variable and what is right; where it was read does not help anybody.
        raise SystemExit(f"manage.py: {error}") from None


if __name__ == "__main__":
    main()
