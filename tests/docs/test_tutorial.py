"""The tutorial, followed to the letter by somebody with an empty database."""

from __future__ import annotations

import pytest

from distillation.models import Export
from drift.models import DriftReport
from tests.docs.pages import page, steps_of
from tests.docs.shell import Shell
from vectors.indexes import list_indexes

# What `make up` does after installing is followed; what asks for a password is not.
SKIPPED = ("git clone", "cd ", ".venv/bin/python manage.py createsuperuser")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_tutorial_leads_from_nothing_to_an_index_an_export_and_a_drift_report(shell: Shell) -> None:
    shell.follow(steps_of(page("tutorial.md")), skip=SKIPPED)

    assert {index.name for index in list_indexes()} == {"debian-packages", "docs", "docs-again"}
    assert len((shell.folder / "training" / "train.jsonl").read_text().splitlines()) == 142
    assert Export.objects.get().status == Export.Status.COMPLETE
    assert DriftReport.objects.order_by("pk")[0].verdict == "stable"
