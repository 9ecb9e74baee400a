from __future__ import annotations

import re

import pytest
from django.test import Client

from drift.checks import check_due
from drift.models import DriftAlert, DriftMonitor, DriftReport
from tests.drift.runs import add_export, add_runs, day, make_monitor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def drifted(transactional_db: None) -> None:
    make_monitor(target="runs")
    add_runs([0.1, 0.2] * 50, day(2), category=["accepted", "rejected"] * 50)
    add_runs([0.8, 0.9] * 50, day(3))
    check_due(now=day(4))


def no_inline(html: str) -> bool:
    # The site's policy allows neither; Django's own pages load their scripts from files.
    return not re.search(r"<style|\sstyle=|<script(?![^>]*(\ssrc=|application/json))", html)


@pytest.mark.usefixtures("drifted")
def test_a_report_shows_mirrored_bars_and_the_same_numbers_in_a_table(admin_client: Client) -> None:
    page = admin_client.get(f"/admin/drift/driftreport/{DriftReport.objects.get().pk}/change/").content.decode()

    assert page.count('role="img"') == 4
    assert "<th>contribution</th>" in page
    assert "needs_human_review" not in page
    assert "<td>accepted</td><td>50</td><td>100</td>" in page
    assert no_inline(page)


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

    checked = admin_client.post("/admin/drift/driftmonitor/", {"action": "check_now", **selected}, follow=True)
    admin_client.post("/admin/drift/driftmonitor/", {"action": "delete_selected", "post": "yes", **selected})

    assert "Watch: no_data" in checked.content.decode()
    assert not DriftMonitor.objects.exists()


def test_a_report_on_exports_shows_the_audit_table(admin_client: Client) -> None:
    make_monitor(target="export_figures", selection={"kind": "sft"}, reference="previous")
    add_export({"rows": 100}, day(1), "a")
    add_export({"rows": 40, "new_one": 1}, day(2), "b")
    check_due(now=day(4))

    page = admin_client.get(f"/admin/drift/driftreport/{DriftReport.objects.get().pk}/change/").content.decode()

    assert "<td>rows</td><td>100</td><td>40</td><td>-0.600</td><td>alert</td>" in page
    assert "<td>new_one</td><td>–</td>" in page
