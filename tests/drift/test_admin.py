from __future__ import annotations

import html
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from drift.checks import check_due
from drift.models import DriftAlert, DriftMonitor, DriftReport
from tests.drift.runs import add_export, add_runs, day, make_monitor
from tests.vectors.admin_pages import act, text_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin_client(client: Client, django_user_model: type[User]) -> Client:
    """A superuser's, without a password: hashing one takes longer than a test."""
    client.force_login(django_user_model.objects.create_superuser("admin"))
    return client


@pytest.fixture
def drifted(transactional_db: None) -> None:
    make_monitor(target="runs")
    add_runs([0.1, 0.2] * 50, day(2), category=["accepted", "rejected"] * 50)
    add_runs([0.8, 0.9] * 50, day(3))
    check_due(now=day(4))


def no_inline(page: str) -> bool:
    # The site's policy allows neither; Django's own pages load their scripts from files.
    return not re.search(r"<style|\sstyle=|<script(?![^>]*(\ssrc=|application/json))", page)


@pytest.mark.usefixtures("drifted")
def test_a_report_shows_mirrored_bars_and_the_same_numbers_in_a_table(admin_client: Client) -> None:
    page = admin_client.get(f"/admin/drift/driftreport/{DriftReport.objects.get().pk}/change/").content.decode()

    assert page.count('role="img"') == 4
    assert "<th>contribution</th>" in page
    assert "needs_human_review" not in page
    assert re.search(r"<td>accepted</td><td>50</td><td><a [^>]*>100</a></td>", page)
    assert no_inline(page)


@pytest.mark.usefixtures("drifted")
def test_from_a_bucket_one_click_leads_to_its_runs(admin_client: Client) -> None:
    add_runs([0.85] * 7, day(3), source="other")
    DriftMonitor.objects.update(selection={"source": "s"})
    page = admin_client.get(f"/admin/drift/driftreport/{DriftReport.objects.get().pk}/change/").content.decode()

    links = re.findall(r'<a href="(/admin/distillation/scoredrun/\?[^"]*)">(\d+)</a>', page)

    # Scores and two lengths in buckets, of which only some hold runs, and a category.
    assert sum(int(count) for _, count in links) == 4 * 100
    for link, count in links:
        found = admin_client.get(html.unescape(link))
        assert found.status_code == 200, link
        assert found.context["cl"].result_count == int(count), link


def test_from_a_transition_one_click_leads_to_its_runs(admin_client: Client) -> None:
    make_monitor(target="scorer")
    add_runs([0.5] * 40, day(2), category="rejected", prefix="old-")
    add_runs([0.5] * 40, day(3), category=["accepted"] * 3 + ["rejected"] * 37, prefix="new-", scorer_version="2")
    check_due(now=day(4))
    page = admin_client.get(f"/admin/drift/driftreport/{DriftReport.objects.get().pk}/change/").content.decode()

    (link,) = re.findall(r'<td>accepted</td><td><a href="([^"]*)">3</a></td>', page)

    runs = admin_client.get(html.unescape(link)).context["cl"].result_list
    assert sorted(run.run_id for run in runs) == ["new-0", "new-1", "new-2"]


@pytest.mark.usefixtures("drifted")
def test_a_monitor_shows_its_history_and_not_its_secret(admin_client: Client) -> None:
    DriftMonitor.objects.update(webhook_secret="do not show this")

    page = admin_client.get(f"/admin/drift/driftmonitor/{DriftMonitor.objects.get().pk}/change/").content.decode()

    assert "2026-01-05 00:00: major, PSI" in page
    assert "do not show this" not in page
    assert no_inline(page)


@pytest.mark.usefixtures("drifted")
def test_alerts_are_acknowledged_in_the_list(admin_client: Client) -> None:
    alert = DriftAlert.objects.get()

    response = admin_client.post(
        "/admin/drift/driftalert/", {"action": "acknowledge", "_selected_action": [str(alert.pk)]}, follow=True
    )

    alert.refresh_from_db()
    assert "1 acknowledged." in response.content.decode()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "admin")


def test_monitors_are_checked_and_deleted_in_the_list(admin_client: Client) -> None:
    monitor = make_monitor()
    selected = {"_selected_action": [str(monitor.pk)]}

    checked = act(admin_client, "/admin/drift/driftmonitor/", action="check_now", **selected)
    admin_client.post("/admin/drift/driftmonitor/", {"action": "delete_selected", "post": "yes", **selected})

    assert "Done : watch: no_data" in text_of(checked)
    assert not DriftMonitor.objects.exists()


def test_a_report_on_exports_shows_the_audit_table(admin_client: Client) -> None:
    make_monitor(target="export_figures", selection={"kind": "sft"}, reference="previous")
    add_export({"rows": 100}, day(1), "a")
    add_export({"rows": 40, "new_one": 1}, day(2), "b")
    check_due(now=day(4))

    page = admin_client.get(f"/admin/drift/driftreport/{DriftReport.objects.get().pk}/change/").content.decode()

    assert "<td>rows</td><td>100</td><td>40</td><td>-0.600</td>" in page
    assert '<td class="dr-verdict dr-status-alert">alert</td>' in page
    assert "<td>new_one</td><td>–</td>" in page


FORM = {
    "name": "lengths",
    "is_active": "on",
    "target": "text_lengths",
    "selection": '{"source": "s"}',
    "reference": "rolling",
    "reference_windows": "3",
    "window_seconds": "3600",
    "interval_seconds": "3600",
    "parameters": "{}",
    "min_n": "30",
    "consecutive": "2",
    "cooldown_seconds": "0",
    "channels": '[{"kind": "webhook", "address": "https://example.org/x"}]',
    "webhook_secret": "sixteen characters",
}


def test_a_monitor_is_made_changed_and_deleted_in_the_admin(admin_client: Client) -> None:
    added = admin_client.post("/admin/drift/driftmonitor/add/", FORM)
    made = DriftMonitor.objects.get()
    page = f"/admin/drift/driftmonitor/{made.pk}/"
    changed = admin_client.post(f"{page}change/", FORM | {"consecutive": "3", "webhook_secret": ""})
    after = DriftMonitor.objects.get()
    deleted = admin_client.post(f"{page}delete/", {"post": "yes"})

    assert (added.status_code, changed.status_code, deleted.status_code) == (302, 302, 302)
    assert (made.target, made.selection, made.consecutive) == ("text_lengths", {"source": "s"}, 2)
    assert made.parameters == {"buckets": 10, "binning": "equal_width"}
    assert (after.pk, after.consecutive, after.webhook_secret) == (made.pk, 3, "sixteen characters")
    assert after.first_window_end == made.first_window_end
    assert not DriftMonitor.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"selection": '{"indx": "a"}'}, "indx: Not known here."),
        ({"webhook_secret": "short"}, "A webhook is signed with this secret"),
        ({"reference": "fixed"}, "A fixed reference needs reference_start"),
        ({"min_n": "1"}, "Expected a whole number from 2"),
        ({"channels": "[{"}, "Enter a valid JSON"),
        ({"name": "watch"}, "Drift monitor with this Name already exists."),
    ],
)
def test_what_is_wrong_with_a_monitor_is_told_beside_its_field(
    admin_client: Client, wrong: dict[str, str], said: str
) -> None:
    make_monitor()

    page = admin_client.post("/admin/drift/driftmonitor/add/", FORM | wrong)

    assert page.status_code == 200
    assert said in page.content.decode()
    assert DriftMonitor.objects.count() == 1


def test_who_may_only_look_at_monitors_sees_no_secret_and_changes_nothing(
    client: Client, django_user_model: type[User]
) -> None:
    monitor = make_monitor()
    DriftMonitor.objects.update(webhook_secret="do not show this")
    user = django_user_model.objects.create_user("looker", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_driftmonitor"))
    client.force_login(user)
    page = f"/admin/drift/driftmonitor/{monitor.pk}/change/"

    shown = client.get(page)
    refused = client.post(page, FORM)

    assert shown.status_code == 200
    assert "window_seconds" in shown.content.decode()
    assert "do not show this" not in shown.content.decode()
    assert refused.status_code == 403
    assert DriftMonitor.objects.get().name == "watch"
