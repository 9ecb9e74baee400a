from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from lakehouse_site.errors import StorageFailed
from tests.factories import add, found_keys, make_index
from vectors import indexes, upkeep
from vectors.leases import LeaseHolder, held_by
from vectors.maintenance import Round
from vectors.models import IndexHead, Snapshot
from vectors.replicas import replicas
from vectors.upkeep import LEASE, Upkeep, snapshot_before

pytestmark = pytest.mark.usefixtures("vectors_db", "storage")


@pytest.fixture
def keeper(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upkeep]:
    """An upkeep with rounds in quick succession."""
    settings.LAKEHOUSE_MAINTENANCE_SECONDS = 0.01
    monkeypatch.setattr("vectors.upkeep.atexit.register", lambda work: None)
    keeper = Upkeep()
    yield keeper
    keeper.finish()


def loaded_index(name: str = "docs") -> None:
    make_index(name)
    add(name, [{"id": "a", "vector": [1, 0, 0]}])
    assert found_keys(name, [1, 0, 0]) == ["a"]


def wait_for(condition: Any) -> None:
    pause = threading.Event()
    for _ in range(3_000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen within 30 seconds")


def in_good_time() -> float:
    return time.monotonic() + 60


def test_the_thread_publishes_what_is_due_and_gives_the_lease_back(keeper: Upkeep) -> None:
    loaded_index()
    IndexHead.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))

    keeper.start()
    keeper.start()

    wait_for(lambda: Snapshot.objects.filter(status="verified").exists())
    keeper.finish()
    assert held_by(LEASE) is None
    assert Snapshot.objects.count() == 1


def test_while_another_process_has_the_lease_nothing_is_done(keeper: Upkeep, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []

    def count(**_: object) -> Round:
        rounds.append(1)
        return Round()

    monkeypatch.setattr(upkeep, "run_round", count)
    asked = threading.Event()
    take = LeaseHolder.take
    other = LeaseHolder(LEASE)
    assert other.take()

    def ask(self: LeaseHolder) -> bool:
        asked.set()
        return take(self)

    monkeypatch.setattr(LeaseHolder, "take", ask)
    keeper.start()
    assert asked.wait(30)
    assert rounds == []

    other._give_back()
    wait_for(lambda: rounds)


def test_no_error_ends_the_thread(
    keeper: Upkeep, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors = iter([OperationalError("gone"), StorageFailed("broken"), ValueError("who knows")])
    calls: list[int] = []

    def fail(**_: object) -> Round:
        calls.append(1)
        error = next(errors, None)
        if error is not None:
            raise error
        return Round()

    monkeypatch.setattr(upkeep, "run_round", fail)
    keeper.start()

    wait_for(lambda: len(calls) >= 5)
    assert caplog.text.count("maintenance put off") == 2
    assert caplog.text.count("maintenance failed") == 1


def test_it_can_be_switched_off(settings: Settings, keeper: Upkeep) -> None:
    settings.LAKEHOUSE_MAINTENANCE_SECONDS = 0

    keeper.start()

    assert keeper._thread is None
    keeper.finish()


def test_a_good_end_takes_snapshots_of_what_has_changed(keeper: Upkeep, settings: Settings) -> None:
    settings.LAKEHOUSE_MAINTENANCE_SECONDS = 3600
    keeper.start()
    loaded_index("a")
    loaded_index("b")
    make_index("not-loaded")

    keeper.finish()

    assert Snapshot.objects.filter(status="verified").count() == 2
    assert snapshot_before(in_good_time()) == 0, "nothing has changed since"


def test_what_would_take_too_long_is_not_begun(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    loaded_index()

    assert snapshot_before(time.monotonic()) == 0

    assert "no time for a snapshot" in caplog.text
    assert not Snapshot.objects.exists()


def test_an_index_that_is_gone_is_passed_over_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_index("a")
    loaded_index("b")
    indexes.drop_index(name="a")
    monkeypatch.setattr(replicas, "names", lambda: ["a", "b"])

    assert snapshot_before(in_good_time()) == 1


@pytest.mark.parametrize(
    ("error", "tries"), [(StorageFailed("no route"), 1), (OperationalError("gone"), 2), (RuntimeError("at the end"), 2)]
)
def test_a_storage_that_fails_is_asked_once_at_the_end_and_other_trouble_is_of_one_index(
    monkeypatch: pytest.MonkeyPatch, error: Exception, tries: int
) -> None:
    loaded_index("a")
    loaded_index("b")
    calls: list[int] = []

    def fail(**_: object) -> None:
        calls.append(1)
        raise error

    monkeypatch.setattr(upkeep, "take_snapshot", fail)

    assert snapshot_before(in_good_time()) == 0
    assert len(calls) == tries
