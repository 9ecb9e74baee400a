"""The commands of the guide to exports, run as they stand there, and what it says they print."""

from __future__ import annotations

import shlex
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from distillation.export_storage import FILE_NAMES
from distillation.export_writer import MANIFEST
from distillation.formats import Format
from distillation.pipeline_types import Outcome
from tests.processes import ROOT

GUIDE = (ROOT / "docs" / "how-to" / "export-training-sets.md").read_text()
COMMAND = "    .venv/bin/python manage.py "


@pytest.mark.django_db(transaction=True)
def test_the_commands_of_the_guide_print_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = [line.removeprefix(COMMAND) for line in GUIDE.splitlines() if line.startswith(COMMAND)]
    assert len(lines) == 6

    printed = []
    for line in lines:
        arguments = [str(tmp_path / "out") if word == "exported" else word for word in shlex.split(line)]
        out = StringIO()
        call_command(*arguments, stdout=out, stderr=StringIO())
        printed.append(out.getvalue())

    shown = GUIDE[GUIDE.index("    STAGE") : GUIDE.index("The files go to")]
    expected = "\n".join(line.removeprefix("    ") for line in shown.strip("\n").splitlines())
    assert printed[2].startswith(expected)
    assert (tmp_path / "out" / MANIFEST).exists()


def test_the_guide_names_every_outcome_format_and_file() -> None:
    for name in [*Outcome, *Format]:
        assert f"`{name}" in GUIDE or f"--kind {name}" in GUIDE, name
    for name in FILE_NAMES:
        assert name in GUIDE or name.partition(".")[0] in ("train", "validation", "test"), name
