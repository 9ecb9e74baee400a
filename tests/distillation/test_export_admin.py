"""Exports, their funnel and decisions, recall notices, evaluation sets and freezes in the admin."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from distillation.eval_set_files import parse_eval_set
from distillation.eval_sets import add_eval_set
from distillation.freezes import freeze_scorer
from distillation.funnel_picture import BAR_WIDTH, draw_funnel
from distillation.models import EvalSet, RecallNotice, ScorerFreeze
from distillation.posted_runs import ingest_body
from tests.distillation.exporting import a_run, export, ingest, the_export

pytestmark = pytest.mark.usefixtures("distillation_db")


def page(client: Client, name: str, *arguments: Any, query: str = "") -> str:
    answer = client.get(reverse(f"admin:distillation_{name}", args=arguments) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_funnel_of_an_export_is_drawn_without_inline_style_or_script(admin_client: Client) -> None:
    ingest(a_run("one"), a_run("two", "rejected"), a_run("three"), a_run("four"))
    export()

    text = page(admin_client, "export_change", the_export().pk)

    section = text[text.index('<section class="funnel"') : text.index("</section>")]
    picture = section[section.index("<svg") : section.index("</svg>")]
    assert picture.count("funnel-out") == 11
    assert "3 (left: 1 firewall blocked)" in picture
    assert f'width="{BAR_WIDTH:.1f}"' in picture
    assert f'width="{BAR_WIDTH * 3 / 4:.1f}"' in picture
    assert "<td>1 firewall blocked</td>" in section
    assert "style=" not in section
    assert "<script" not in section


def test_an_export_that_was_broken_off_has_a_page_without_a_funnel(admin_client: Client) -> None:
    ingest(a_run("one"))
    export()
    broken = the_export()
    broken.manifest, broken.status = None, "writing"
    broken.save()

    assert "funnel-out" not in page(admin_client, "export_change", broken.pk)


def test_the_second_export_shows_its_audit_table(admin_client: Client) -> None:
    ingest(a_run("one"))
    export()
    ingest(a_run("two"), a_run("three"))
    second = export()

    key = page(admin_client, "export_changelist", query=f"?q={second.export_id}")
    found = re.search(r"/export/(\d+)/change/", key)
    assert found is not None
    assert "Compared with the export before: major" in page(admin_client, "export_change", found[1])


def test_decisions_of_an_export_and_of_a_run(admin_client: Client) -> None:
    ingest(a_run("one"), a_run("two", "rejected"))
    export()

    of_export = page(admin_client, "stagedecision_changelist", query=f"?export__id__exact={the_export().pk}")
    of_run = page(admin_client, "stagedecision_changelist", query="?q=two")

    assert ("one" in of_export, "firewall_blocked" in of_export) == (True, True)
    assert "2 stage decisions" in of_export
    assert "1 stage decision" in of_run


def test_recall_notices_are_acknowledged_by_an_action(admin_client: Client) -> None:
    ingest(a_run("one"))
    export()
    other = json.dumps({**a_run("one"), "response": "another"}).encode() + b"\n"
    ingest_body(sent=other, lines=other)
    notice = RecallNotice.objects.get()

    page(admin_client, "recallnotice_changelist")
    body = {"action": "acknowledge", "_selected_action": str(notice.pk)}
    admin_client.post(reverse("admin:distillation_recallnotice_changelist"), body)

    assert RecallNotice.objects.get().acknowledged_by == "admin"


def test_evaluation_sets_are_retired_by_an_action(admin_client: Client) -> None:
    add_eval_set(content=parse_eval_set("ours", [b'{"id": "a", "prompt": "b"}']))

    page(admin_client, "evalset_changelist")
    body = {"action": "retire", "_selected_action": str(EvalSet.objects.get().pk)}
    admin_client.post(reverse("admin:distillation_evalset_changelist"), body)

    assert not EvalSet.objects.get().is_active


def test_a_freeze_is_acknowledged_with_a_note_and_then_stays_as_it_is(admin_client: Client) -> None:
    freeze = freeze_scorer(scorer_name="rubric", scorer_version="2", reason="Looks odd.")
    assert freeze is not None
    page(admin_client, "scorerfreeze_change", freeze.pk)
    page(admin_client, "scorerfreeze_changelist")

    url = reverse("admin:distillation_scorerfreeze_changelist")
    for note in ("It is fine.", "Or not."):
        admin_client.post(url, {"action": "acknowledge", "note": note, "_selected_action": str(freeze.pk)})

    found = ScorerFreeze.objects.get()
    assert (found.note, found.acknowledged_by) == ("It is fine.", "admin")


@pytest.mark.parametrize("name", ["export", "stagedecision", "recallnotice", "evalset", "scorerfreeze"])
def test_nothing_can_be_added_by_hand(admin_client: Client, name: str) -> None:
    assert admin_client.get(reverse(f"admin:distillation_{name}_add")).status_code == 403


def test_an_empty_funnel_has_no_bars() -> None:
    assert draw_funnel([]).bars == ()
