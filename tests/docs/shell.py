"""Runs the commands of a page in this process, which is many times faster than a process for each.

`manage.py` becomes a call of the command, `curl` a call of Django's test client; everything else is given to bash.
Where a page is about the settings that a process begins with, `follow_with` does all this in a process that has them.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from tests.docs.pages import Step, prints
from tests.processes import ROOT

MANAGE = ".venv/bin/python manage.py "
UP = MANAGE + "up --no-serve"  # what `make up` does when everything is installed
DRIFTED = 3
TIMEOUT_SECONDS = 300


class Shell:
    """A reader at a terminal, in a folder that looks like a clone of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LAKEHOUSE_", "AWS_", "PYTEST_", "DJANGO_")) and name != "DATABASE_URL"
        } | {"LAKEHOUSE_DATA_DIR": str(folder / "var")}

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

    def follow_with(self, steps: Sequence[Step], settings: Mapping[str, str]) -> None:
        """Follow steps in a process that has other settings."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.docs.shell", str(self.folder)],
            input=json.dumps([asdict(step) for step in steps]),
            cwd=ROOT,
            env=self.environment | {"DJANGO_SETTINGS_MODULE": "lakehouse_site.settings"} | dict(settings),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, command: str) -> str:
        """Run one command, return what it printed; anything but success (or drift) raises."""
        first, pipe, rest = command.partition(" | ")
        first = UP if first == "make up" else first
        if first.startswith(MANAGE):
            printed = _manage(shlex.split(first.removeprefix(MANAGE), comments=True))
        elif first.startswith("curl "):
            printed = self._curl(shlex.split(first, comments=True)[1:])
        else:
            return self._bash(command)
        return self._bash(rest, printed) if pipe else printed

    def _curl(self, arguments: list[str]) -> str:
        options = _curl_options(arguments)
        headers = dict(header.split(": ", 1) for header in options.header)
        url = urlsplit(options.url)
        content_type = headers.pop("Content-Type", "application/x-www-form-urlencoded")
        data = options.data
        if options.form:
            content_type = MULTIPART_CONTENT
            data = encode_multipart(BOUNDARY, dict(self._field(*field.split("=", 1)) for field in options.form))
        answer = Client().generic(
            options.method or ("GET" if data is None else "POST"),
            f"{url.path}?{url.query}",
            data or "",
            content_type=content_type,
            headers={"Host": url.netloc, **headers},
        )
        printed: str = answer.getvalue().decode()
        assert answer.status_code < 400, printed
        return printed

    def _field(self, name: str, value: str) -> tuple[str, str | SimpleUploadedFile]:
        if not value.startswith("@"):
            return name, value
        path = self.folder / value[1:]
        return name, SimpleUploadedFile(path.name, path.read_bytes())

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


def _manage(arguments: list[str]) -> str:
    out = StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=StringIO())
    except SystemExit as end:
        if end.code != DRIFTED:
            raise
    return out.getvalue()


def _curl_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="header", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("-F", dest="form", action="append", default=[])
    parser.add_argument("url")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    django.setup()
    os.chdir(sys.argv[1])
    Shell(Path.cwd()).follow([Step(tuple(step["commands"]), step["shown"]) for step in json.load(sys.stdin)])
