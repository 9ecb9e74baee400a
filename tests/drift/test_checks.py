from __future__ import annotations

import threading
from statistics import NormalDist
from typing import Any

import pytest
from django.db import connection

from distillation.freezes import frozen_scorers
from distillation.models import ScoredRun, ScorerFreeze
from drift import checks
from drift.alerts import acknowledge_alert, list_alerts
from drift.checks import check_due, check_monitor
from drift.errors import WindowNotOver
from drift.models import DriftAlert, DriftDelivery, DriftMonitor, DriftReport
from drift.monitors import update_monitor
from drift.windows import MAX_CATCH_UP
from tests.drift.runs import DAY, add_export, add_runs, day, make_monitor

pytestmark = pytest.mark.django_db(transaction=True)


def scores(n: int = 200, mean: float = 0.5) -> list[float]:
    """Return quantiles of a normal distribution: two of the same mean differ by nothing, not even by chance."""
    shape = NormalDist(mean, 0.1)
    return [min(max(shape.inv_cdf((place + 0.5) / n), 0.0), 1.0) for place in range(n)]


def days_of_runs(count: int, **facts: Any) -> None:
    for number in range(count):
        add_runs(scores(), day(number), **facts)


def verdicts() -> list[str]:
    return list(DriftReport.objects.order_by("window_end").values_list("verdict", flat=True))


def states() -> list[tuple[str, str]]:
    return list(DriftAlert.objects.order_by("opened_at").values_list("kind", "state"))


def test_a_shift_is_reported_alerts_and_recovers() -> None:
    monitor = make_monitor(reference="fixed", reference_start=day(0).isoformat(), reference_end=day(3).isoformat())
    days_of_runs(4)
    add_runs(scores(mean=0.8), day(4))
    add_runs(scores(), day(5))

    check_due(now=day(5))
    drifted = states()
    check_due(now=day(6))

    assert verdicts() == ["stable", "major", "stable"]
    assert drifted == [("drift", "open")]
    assert states() == [("drift", "resolved")]
    assert list(DriftDelivery.objects.order_by("next_attempt_at").values_list("event", flat=True)) == [
        "opened",
        "resolved",
    ]
    assert monitor.profiles.get().n == 600


def test_a_window_is_reported_once_however_often_it_is_checked() -> None:
    monitor = make_monitor()
    days_of_runs(4)

    first = check_due(now=day(4))
    again = check_due(now=day(4))
    by_hand = check_monitor(monitor_id=str(monitor.pk), now=day(4.5))

    assert (len(first.reports), len(again.reports)) == (1, 0)
    assert by_hand.pk == first.reports[0].pk
    assert DriftReport.objects.count() == 1


def test_two_checkers_at_once_make_one_report_and_one_alert() -> None:
    make_monitor()
    days_of_runs(3)
    add_runs(scores(mean=0.9), day(3))
    failed: list[BaseException] = []
    barrier = threading.Barrier(2)

    def check() -> None:
        try:
            barrier.wait()
            check_due(now=day(4))
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert verdicts() == ["major"]
    assert (DriftAlert.objects.count(), DriftDelivery.objects.count()) == (1, 1)
    assert DriftMonitor.objects.get().leased_by == ""


def test_a_monitor_at_which_another_is_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = make_monitor()
    assert checks._take(monitor, "another")

    busy = check_due(now=day(4))
    monkeypatch.setattr(checks, "LEASE_SECONDS", -1)
    checks._take(monitor, "another")  # it was killed long ago
    after = check_due(now=day(4))

    assert (busy.busy, busy.reports) == (("watch",), ())
    assert len(after.reports) == 1


def test_after_a_pause_windows_are_made_up_for_up_to_a_limit() -> None:
    make_monitor()
    days_of_runs(4)

    done = check_due(now=day(4 + MAX_CATCH_UP + 5))

    assert (len(done.reports), done.left_out) == (MAX_CATCH_UP, 6)
    assert DriftMonitor.objects.get().last_window_end == day(4 + MAX_CATCH_UP + 5)


def test_two_windows_without_data_alert_and_data_close_it() -> None:
    make_monitor(reference="fixed", reference_start=day(0).isoformat(), reference_end=day(3).isoformat())
    days_of_runs(4)
    check_due(now=day(5))
    after_one = states()
    check_due(now=day(6))
    after_two = states()
    add_runs(scores(), day(6))

    check_due(now=day(7))

    assert verdicts() == ["stable", "no_data", "no_data", "stable"]
    assert after_one == []
    assert after_two == [("no_data", "open")]
    assert states() == [("no_data", "resolved")]


def test_too_few_values_are_no_verdict() -> None:
    make_monitor()
    days_of_runs(3)
    add_runs(scores(29, mean=0.9), day(3))

    check_due(now=day(4))

    assert verdicts() == ["insufficient_data"]
    assert states() == []


def test_a_failure_is_a_report_and_an_alert_and_is_tried_again_by_hand() -> None:
    monitor = make_monitor(target="vector_index", selection={"index": "gone"}, reference="fixed")

    check_due(now=day(4))
    broken = states()
    ScoredRun.objects.all().delete()
    update_monitor(
        monitor_id=str(monitor.pk), changes={"target": "scores", "reference": "rolling", "reference_windows": 3}
    )
    days_of_runs(4)
    again = check_monitor(monitor_id=str(monitor.pk), now=day(4))

    assert broken == [("error", "open")]
    assert "no index named 'gone'" in DriftAlert.objects.get().summary
    assert again.verdict == "stable"
    assert DriftReport.objects.count() == 1
    assert states() == [("error", "resolved")]


def test_an_alert_waits_for_consecutive_windows() -> None:
    make_monitor(consecutive=2, reference="fixed", reference_start=day(0).isoformat(), reference_end=day(3).isoformat())
    days_of_runs(3)
    add_runs(scores(mean=0.8), day(3))
    add_runs(scores(mean=0.8), day(4))

    check_due(now=day(4))
    after_one = states()
    check_due(now=day(5))

    assert after_one == []
    assert states() == [("drift", "open")]


def test_while_it_cools_down_a_new_alert_is_kept_and_not_told() -> None:
    make_monitor(
        cooldown_seconds=DAY, reference="fixed", reference_start=day(0).isoformat(), reference_end=day(3).isoformat()
    )
    days_of_runs(3)
    for number, mean in enumerate((0.8, 0.5, 0.8)):
        add_runs(scores(mean=mean), day(3 + number))

    check_due(now=day(6))

    assert verdicts() == ["major", "stable", "major"]
    assert [alert.is_quiet for alert in DriftAlert.objects.order_by("opened_at")] == [False, True]
    assert DriftDelivery.objects.filter(event="opened").count() == 1


def test_an_acknowledged_alert_stays_until_the_monitor_is_well() -> None:
    make_monitor(reference="fixed", reference_start=day(0).isoformat(), reference_end=day(3).isoformat())
    days_of_runs(3)
    for number, mean in enumerate((0.8, 0.8, 0.5)):
        add_runs(scores(mean=mean), day(3 + number))
    check_due(now=day(4))

    alert = acknowledge_alert(alert_id=str(list_alerts().get().pk), by="Ada", note="known")
    check_due(now=day(5))
    still = states()
    check_due(now=day(6))

    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "Ada")
    assert still == [("drift", "acknowledged")]
    assert states() == [("drift", "resolved")]


def test_categories_and_lengths_are_watched_together() -> None:
    make_monitor(target="runs")
    days_of_runs(3, category=["accepted", "rejected"] * 100)
    add_runs(scores(), day(3), category=["accepted"] * 20 + ["rejected"] * 180, prompt_characters=range(1, 201))

    check_due(now=day(4))

    metrics = {metric["name"]: metric["is_drift"] for metric in DriftReport.objects.get().metrics}
    assert metrics == {"score": False, "prompt_characters": True, "response_characters": False, "category": True}


def test_only_selected_runs_are_looked_at() -> None:
    make_monitor(selection={"source": "mine"})
    days_of_runs(4, source="mine")
    add_runs(scores(500, mean=0.9), day(3), source="other")
    ScoredRun.objects.filter(run_id__startswith="r0-", task_id="task-0").update(is_disputed=True)

    check_due(now=day(4))

    report = DriftReport.objects.get()
    assert (report.verdict, report.n_reference, report.n_current) == ("stable", 599, 200)


@pytest.mark.parametrize(("opened", "frozen"), [(1, [("judge", "2")]), (0, [])])
def test_a_scorer_that_opens_the_firewall_is_frozen_until_acknowledged(
    opened: int, frozen: list[tuple[str, str]]
) -> None:
    make_monitor(target="scorer")
    before = ["rejected"] * 200
    add_runs(scores(), day(1), category=before, prefix="old-")
    add_runs(scores(), day(3), category=["accepted"] * opened + before[opened:], prefix="new-", scorer_version="2")

    check_due(now=day(4))

    assert frozen_scorers() == frozen
    assert verdicts() == (["minor"] if opened else ["stable"])
    if opened:
        assert ScorerFreeze.objects.get().evidence["firewall_opened"] == ["new-0"]
    check_due(now=day(5))
    assert ScorerFreeze.objects.count() == opened


def test_the_first_window_has_to_be_over() -> None:
    monitor = make_monitor()

    with pytest.raises(WindowNotOver, match="2026-01-05"):
        check_monitor(monitor_id=str(monitor.pk), now=day(3))


def test_an_export_is_compared_with_its_baseline() -> None:
    make_monitor(target="export_figures", selection={"kind": "sft"}, reference="fixed")
    add_export({"rows": 100, "duplicate_share": 0.1}, day(1), "a")
    check_due(now=day(4))
    add_export({"rows": 40, "duplicate_share": 0.1}, day(4.5), "b")

    check_due(now=day(5))

    assert verdicts() == ["insufficient_data", "major"]
    result = DriftReport.objects.order_by("window_end")[1].metrics[0]["result"]
    assert (result["baseline"], result["export"], result["rows"][0]["metric"]) == ("a", "b", "rows")
    assert states() == [("drift", "open")]


def test_the_first_export_after_windows_without_one_is_no_lack_of_data() -> None:
    make_monitor(target="export_figures", selection={"kind": "sft"}, reference="fixed")
    check_due(now=day(4))
    add_export({"rows": 100}, day(4.5), "a")

    check_due(now=day(5))

    assert verdicts() == ["no_data", "insufficient_data"]
    assert states() == []
