"""What people do in a browser, from end to end. Every page on the way is looked at, see `Visitor`."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from tests.browser.conftest import sign_in
from tests.browser.visiting import Visitor
from tests.filled import Filled

pytestmark = pytest.mark.slow
LONG_WORK_MILLISECONDS = 120_000.0
RESULTS = "#result_list tbody tr"


def open_index(boss: Visitor, name: str) -> None:
    boss.open("/admin/vectors/vectorindex/")
    boss.click(f"{RESULTS} th a:text-is('{name}')")


def act_on_first(boss: Visitor, action: str, note: str = "") -> str:
    """Select the first row of a list, do something with it, and return what the page says then."""
    boss.page.check(f"{RESULTS} >> nth=0 >> input.action-select")
    boss.page.select_option("select[name=action]", action)
    if note:
        boss.page.fill("input[name=note]", note)
    boss.click("button[name=index]")
    return boss.page.inner_text(".messagelist")


def test_the_start_page_says_whether_everything_is_well(visitor: Visitor, boss_session: object) -> None:
    sign_in(visitor)

    visitor.look()

    assert "Not everything is well" in visitor.page.inner_text(".start-sum")
    assert "1 open alert" in visitor.text()


def test_a_token_is_shown_once_and_opens_the_api(boss: Visitor, filled: Filled) -> None:
    boss.open("/admin/access/apitoken/add/")
    boss.page.fill("#id_name", "notebook")
    boss.page.select_option("#id_scope", "read")
    boss.click("input[name=_save]")
    told = re.search(r"shown only now: (\S+)", boss.page.inner_text(".messagelist"))
    assert told is not None

    boss.open("/admin/access/apitoken/")
    answer = httpx.get(
        f"{filled.server.base_url}/v1/vectors/index/notes",
        headers={"Authorization": f"Bearer {told[1]}"},
        trust_env=False,
    )
    act_on_first(boss, "revoke")

    assert told[1] not in boss.page.content()
    assert (answer.status_code, answer.json()["name"]) == (200, "notes")


def test_an_index_is_looked_at_and_searched_by_an_item_and_by_a_vector(boss: Visitor) -> None:
    open_index(boss, "notes")
    assert "120" in boss.text()

    boss.click(".lh-tabs >> text=Search")
    boss.page.fill("#id_id", "item-001")
    boss.page.fill("#id_filter", '{"lang": "de"}')
    boss.click("input[value=Search]")
    by_item = boss.page.inner_text(".lh-hits tbody tr >> nth=0")
    boss.page.fill("#id_id", "")
    boss.page.fill("#id_filter", "")
    boss.page.fill("#id_vector", "[0, 0, 3]")
    boss.click("input[value=Search]")
    by_vector = boss.page.inner_text(".lh-hits")
    boss.click(".lh-hits tbody tr >> nth=0 >> a")

    assert '"lang":"de"' in by_item
    assert "drift" in by_vector
    assert "Its nearest neighbours" in boss.text()


def test_a_quarantined_line_is_reviewed(boss: Visitor) -> None:
    boss.open("/admin/distillation/quarantinedline/?status__exact=open&code__exact=duplicate_run_id_conflict")
    boss.click(f"{RESULTS} >> nth=0 >> th a")
    assert "The stored run" in boss.text()
    boss.page.go_back()

    released = act_on_first(boss, "release", note="the later one is right")
    boss.open("/admin/distillation/quarantinedline/?status__exact=open&code__exact=invalid_json")
    discarded = act_on_first(boss, "discard")

    assert (released, discarded) == ("1 lines are decided.", "1 lines are decided.")


def test_an_export_shows_where_the_runs_went_and_why(boss: Visitor) -> None:
    boss.open("/admin/distillation/export/")
    boss.click(f"{RESULTS} >> nth=0 >> th a")
    assert "near duplicates" in boss.page.inner_text(".funnel table")

    boss.click(".funnel >> text=Decisions")

    assert "firewall_blocked" in boss.text()


def test_a_drift_report_is_read_and_its_alert_acknowledged(boss: Visitor) -> None:
    boss.open("/admin/drift/driftreport/?verdict__exact=major")
    boss.click(f"{RESULTS} >> nth=0 >> th a")
    assert "score: major" in boss.text()

    boss.open("/admin/drift/driftalert/?state__exact=open")
    told = act_on_first(boss, "acknowledge")

    assert told == "1 acknowledged."
    boss.open("/admin/drift/driftalert/")
    assert "Acknowledged" in boss.page.inner_text(f"{RESULTS} >> nth=0")


def test_the_form_of_the_api_begins_with_a_search_that_works(boss: Visitor) -> None:
    boss.open("/v1/vectors/index/archive/search")
    assert json.loads(boss.page.input_value("textarea[name=_content]"))["id"]

    with boss.page.expect_response(lambda response: response.request.method == "POST") as answer:
        boss.page.click("button:text-is('POST')")
    boss.page.wait_for_selector(".response-info >> text=distance")
    boss.look()

    assert answer.value.status == 200


def test_indexes_are_merged_after_a_dry_run(boss: Visitor) -> None:
    open_index(boss, "archive")
    boss.click("text=Merge into")
    boss.page.select_option("select[name=dest]", "notes")
    boss.click("button:text-is('Dry run')")
    dry = boss.text()
    assert "Nothing has been changed yet" in dry
    assert re.search(r"Would be added\s+40\b", dry)

    boss.click("button:text-is('Merge now')")
    # A worker does it, behind a page that shows how far it is.
    boss.page.wait_for_selector("text=/40 added/", timeout=LONG_WORK_MILLISECONDS)

    open_index(boss, "notes")
    assert re.search(r"\b160\b", boss.text())
