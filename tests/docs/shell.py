"""Runs the commands of a page in this process, which is many times faster than a process for each.

`manage.py` becomes a call of the command, `curl` a call of Django's test client; everything else is given to bash.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management import call_command
from django.test import Client

from tests.docs.pages import Step, prints

MANAGE = ".venv/bin/python manage.py "
UP = MANAGE + "up --no-serve"  # what `make up` does when everything is installed
DRIFTED = 3
TIMEOUT_SECONDS = 60


class Shell:
    """A reader at a terminal, in a folder that looks like a clone of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LAKEHOUSE_", "AWS_", "PYTEST_", "DJANGO_")) and name != "DATABASE_URL"
        }

    def follow(self, steps: Sequence[Step], *, skip: Sequence[str] = ()) -> list[str]:
        """Do what a page says and compare what is shown; return what each block printed last.

        `skip`: beginnings of commands that are left to other tests, or that only a person can give.
        """
        return [self.do(step, skip=skip) for step in steps]

    def do(self, step: Step, *, skip: Sequence[str] = ()) -> str:
        """Run the commands of one block."""
        printed = ""
        for command in step.commands:
            if not command.startswith(tuple(skip)):
                printed = self.run(command)
        if step.shown and not step.commands[-1].startswith(tuple(skip)):
            assert prints(step.shown, printed), f"{step.commands[-1]}\nprinted\n{printed}\nand not\n{step.shown}"
        return printed

    def run(self, command: str) -> str:
        """Run one command, return what it printed; anything but success (or drift) raises."""
        first, pipe, rest = command.partition(" | ")
        first = UP if first == "make up" else first
        if first.startswith(MANAGE):
            printed = self._manage(shlex.split(first.removeprefix(MANAGE), comments=True))
        elif first.startswith("curl "):
            printed = self._curl(shlex.split(first, comments=True)[1:])
        else:
            return self._bash(command)
        return self._bash(rest, printed) if pipe else printed

    def _manage(self, arguments: list[str]) -> str:
        out = StringIO()
        try:
            call_command(*arguments, stdout=out, stderr=StringIO())
        except SystemExit as end:
            if end.code != DRIFTED:
                raise
        return out.getvalue()

    def _curl(self, arguments: list[str]) -> str:
        options = _curl_options(arguments)
        headers = dict(header.split(": ", 1) for header in options.header)
        body = options.data
        if body is not None and body.startswith("@"):
            body = (self.folder / body[1:]).read_text()
        content_type = headers.pop("Content-Type", "application/x-www-form-urlencoded")
        url = urlsplit(options.url)
        answer = Client().generic(
            options.method or ("GET" if body is None else "POST"),
            f"{url.path}?{url.query}",
            body or "",
            content_type=content_type,
            headers=headers,
        )
        printed: str = answer.getvalue().decode()
        assert answer.status_code < 400, printed
        return printed

    def _bash(self, command: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["bash", "-euc", command],
            input=stdin,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


def _curl_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="header", action="append", default=[])
    parser.add_argument("-d", "--data-binary", dest="data")
    parser.add_argument("url")
    return parser.parse_args(arguments)
