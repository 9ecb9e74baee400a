"""The start page of the admin: is everything well?"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from distillation.models import Export, QuarantinedLine, ScoredRunFile
from drift.models import DriftAlert, DriftMonitor, DriftReport
from lakehouse_site import VERSION, health, start_page
from lakehouse_site.tasks.models import TaskWorker
from tests.drift.runs import make_monitor
from tests.factories import add_rows, make_index, random_rows
from tests.task_queue import make_task, make_worker
from tests.vectors.admin_pages import boss_client, get, text_of
from vectors.models import IndexHead, RecallMeasurement, Snapshot
from vectors.replicas import replicas

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_replicas() -> Iterator[None]:
    yield
    replicas.stop()


@pytest.fixture
def boss(transactional_db: None) -> Client:
    make_worker()
    return boss_client()


PART = re.compile(
    r'<li class="start-part start-(\w+)">\s*<h2>(.*?) <span class="start-word">(.*?)</li>\s*'
    r'(?=<li class="start-part|</ul>\s*</section>)',
    re.DOTALL,
)


def parts_of(html: str) -> dict[str, tuple[str, str]]:
    """Return class and text of each part by its title."""
    return {title: (state, text_of(f"<b>{text}")) for state, title, text in PART.findall(html)}


def start(client: Client) -> dict[str, tuple[str, str]]:
    return parts_of(get(client, "/admin/"))


def test_an_empty_service_is_well(boss: Client) -> None:
    html = get(boss, "/admin/")

    assert "Everything is well." in html
    parts = parts_of(html)
    assert list(parts) == [title for title, *_ in start_page._LOOKS]
    assert {state for state, _ in parts.values()} == {"good"}
    assert parts["Version"][1].startswith(f"well Lakehouse {VERSION}.")
    assert re.search(r"(SQLite 3|Postgres 1)", parts["Database"][1])
    assert "Writes, reads and deletes" in parts["Object storage"][1]
    assert "/admin/vectors/vectorindex/" in html  # and the applications below


def test_indexes_snapshots_and_recall_in_numbers(boss: Client) -> None:
    for name in ("a", "b"):
        add_rows(make_index(name).name, random_rows(7, 3))
    index_id = IndexHead.objects.get(index__name="a").pk
    long_ago = timezone.now() - timedelta(hours=3)
    IndexHead.objects.update(updated_at=long_ago)
    Snapshot.objects.create(
        index_id=index_id, seq=5, object_name="x", status="verified", created_at=long_ago, changed_at=long_ago
    )
    measured = {
        "measured_at": long_ago,
        "num": 5,
        "k": 3,
        "ann_ms": 1,
        "exact_ms": 1,
        "ef_search": 64,
        "count": 7,
        "seq": 7,
    }
    RecallMeasurement.objects.create(index_id=index_id, recall=0.94, **measured)

    html = get(boss, "/admin/")
    parts = parts_of(html)

    assert "14 items in 2 indexes." in parts["Indexes"][1]
    assert parts["Snapshots"] == (
        "look",
        "look here The oldest is 3\xa0hours old (a). a: 2 changes since the last one 1 index without one yet.".replace(
            "\xa0", " "
        ),
    )
    assert parts["Recall"] == ("look", "look here 1 index below 0.95. a: 0.940")
    assert f"/admin/vectors/vectorindex/{index_id}/change/" in html
    assert "Not everything is well: Snapshots (look here), Recall (look here)." in html


def test_a_snapshot_that_failed_is_trouble(boss: Client) -> None:
    state = make_index("a")
    add_rows("a", random_rows(3, 3))
    now = timezone.now()
    Snapshot.objects.create(
        index_id=state.id, seq=0, object_name="x", status="failed", error="disk full", created_at=now, changed_at=now
    )

    assert start(boss)["Snapshots"][0] == "bad"


def test_exports_alerts_and_quarantine_lead_to_their_pages(boss: Client) -> None:
    now = timezone.now()
    export = Export.objects.create(
        export_id="e" * 64, kind="sft", status="failed", config={}, rows=1234, started_at=now
    )
    file = ScoredRunFile.objects.create(path="p", sha256="0" * 64, size_bytes=1, started_at=now)
    for line, status in ((1, "open"), (2, "open"), (3, "discarded")):
        QuarantinedLine.objects.create(
            file=file, line=line, code="x", raw=b"", size_bytes=1, status=status, quarantined_at=now
        )
    make_monitor(target="runs")
    monitor = DriftMonitor.objects.get()
    report = DriftReport.objects.create(
        monitor=monitor, window_start=now - timedelta(1), window_end=now, verdict="major", made_at=now
    )
    alert = DriftAlert.objects.create(
        monitor=monitor,
        kind="drift",
        summary="<b>scores</b> have drifted",
        first_report=report,
        last_report=report,
        opened_at=now,
    )

    html = get(boss, "/admin/")
    parts = parts_of(html)

    assert parts["Exports"][0] == "bad"
    assert "sft eeeeeeeeeeee: failed, 1,234 rows" in parts["Exports"][1]
    assert f"/admin/distillation/export/{export.pk}/change/" in html
    assert parts["Drift"][0] == "look"
    assert "1 open alert." in parts["Drift"][1]
    assert "&lt;b&gt;scores&lt;/b&gt; have drifted" in html
    assert f"/admin/drift/driftalert/{alert.pk}/change/" in html
    assert parts["Quarantine"] == ("look", "look here 2 lines wait for a decision. Review them")
    for link in re.findall(r'href="(/admin/[^"]+)"', html):
        assert boss.get(link.replace("&amp;", "&")).status_code == 200 or "logout" in link


def test_tasks_that_failed_and_a_queue_without_a_worker_are_not_well(boss: Client) -> None:
    make_worker()
    make_task(make_index("a"), status="FAILED", finished_at=timezone.now() - timedelta(hours=25))
    long_ago = start(boss)["Tasks"]
    make_task(make_index("b"), status="FAILED", finished_at=timezone.now())
    failed = start(boss)["Tasks"]
    make_task(make_index("c"))
    TaskWorker.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    alone = start(boss)["Tasks"]

    assert long_ago == ("good", "well None waits. All tasks")
    assert failed == ("look", "look here None waits. 1 task failed within a day All tasks")
    assert alone[0] == "bad"
    assert "0 running, 1 waiting." in alone[1]
    assert "No worker is running: type `manage.py worker`" in alone[1]


def test_a_part_that_fails_is_not_known_and_the_others_are_shown(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OperationalError("connection to postgres://user:hunter2@db refused")

    monkeypatch.setattr(start_page, "facts_of", fail)

    html = get(boss, "/admin/")
    parts = parts_of(html)

    assert parts["Recall"] == ("unknown", "not known Not known. OperationalError; the server&#x27;s log says more.")
    assert parts["Database"][0] == "good"
    assert "hunter2" not in html
    assert "Not everything is well: Indexes (not known), Snapshots (not known), Recall (not known)." in html


def test_a_storage_that_hangs_is_not_waited_for(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(health, "_look_at_storage", lambda: answer.wait(60) and None)
    monkeypatch.setattr(health._StorageCheck, "_latest", None)
    monkeypatch.setattr(start_page, "STORAGE_SECONDS", 0.05)
    try:
        first = start(boss)["Object storage"]
        monkeypatch.setattr(health, "STORAGE_PATIENCE_SECONDS", 0.0)
        later = start(boss)["Object storage"]
    finally:
        answer.set()
        check = health._StorageCheck._latest
        assert check is not None
        check.join(60)

    assert first == ("unknown", "not known Not known. The object storage has not answered within 0.05 s.")
    assert later[0] == "bad"


def test_people_see_what_they_may(transactional_db: None) -> None:
    user = User.objects.create_user("viewer", is_staff=True)
    client = Client()
    client.force_login(user)
    assert list(start(client)) == ["Object storage", "Database", "Version"]

    user.user_permissions.set(Permission.objects.filter(codename__in=["view_vectorindex"]))

    assert list(start(client))[:3] == ["Indexes", "Snapshots", "Recall"]


def test_it_does_not_ask_the_database_for_each_index(boss: Client, django_assert_max_num_queries: object) -> None:
    for number in range(9):
        make_index(f"docs-{number}", dimension=2)

    assert callable(django_assert_max_num_queries)
    with django_assert_max_num_queries(30):
        get(boss, "/admin/")
