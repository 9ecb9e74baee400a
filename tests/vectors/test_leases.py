from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from lakehouse_site.errors import DatabaseUnavailable
from vectors import leases
from vectors.leases import LeaseHolder, held_by
from vectors.models import Lease
from vectors.transactions import run_write

pytestmark = pytest.mark.usefixtures("vectors_db")


def expire() -> None:
    assert Lease.objects.update(expires_at=Now() - timedelta(seconds=1))


def test_one_of_two_gets_it_and_keeps_it() -> None:
    first, second = LeaseHolder("work"), LeaseHolder("work")

    assert (first.take(), second.take(), first.take()) == (True, False, True)
    assert held_by("work") == first.holder
    assert LeaseHolder("other work").take()


def test_it_is_free_after_the_block_also_after_an_error() -> None:
    first, second = LeaseHolder("work"), LeaseHolder("work")

    with first.held() as is_mine, second.held() as is_theirs:
        assert (is_mine, is_theirs) == (True, False)
    with pytest.raises(ZeroDivisionError), second.held():
        raise ZeroDivisionError

    assert held_by("work") is None
    assert first.take()


def test_the_lease_of_one_that_died_runs_out() -> None:
    first, second = LeaseHolder("work"), LeaseHolder("work")
    first.take()
    assert not second.take()

    expire()

    assert held_by("work") is None
    assert second.take()
    assert held_by("work") == second.holder
    first._keeps_until = 0.0
    assert not first.take()


def test_giving_back_takes_nothing_from_the_next_holder() -> None:
    first, second = LeaseHolder("work"), LeaseHolder("work")
    with first.held():
        expire()
        assert second.take()

    assert held_by("work") == second.holder


def test_asking_again_and_again_costs_nothing_until_half_of_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = LeaseHolder("work")
    holder.take()
    writes: list[Any] = []

    def count(work: Any) -> Any:
        writes.append(1)
        return run_write(work)

    monkeypatch.setattr(leases, "run_write", count)

    assert all(holder.take() for _ in range(100))
    assert writes == []

    holder._keeps_until -= leases.LEASE_SECONDS / 2
    assert holder.take()
    assert writes == [1]


@pytest.mark.parametrize("error", [OperationalError("gone"), DatabaseUnavailable("busy")])
def test_one_that_cannot_be_given_back_is_no_failure_of_the_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(_: Any) -> None:
        raise error

    with LeaseHolder("work").held():
        monkeypatch.setattr(leases, "run_write", fail)

    assert "runs out by itself" in caplog.text
