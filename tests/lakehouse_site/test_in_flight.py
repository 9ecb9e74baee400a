from __future__ import annotations

import pytest

from lakehouse_site import in_flight


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("lakehouse_site.in_flight.time.sleep", slept.append)
    return slept


def test_a_request_alone_does_not_pause(pauses: list[float]) -> None:
    with in_flight.counted():
        in_flight.give_way()

    assert pauses == []


def test_a_request_beside_another_pauses_until_that_is_answered(pauses: list[float]) -> None:
    with in_flight.counted():
        with in_flight.counted():
            in_flight.give_way()
        in_flight.give_way()

    assert pauses == [in_flight.PAUSE_SECONDS]


def test_a_request_that_fails_is_no_longer_counted(pauses: list[float]) -> None:
    with pytest.raises(ZeroDivisionError), in_flight.counted():
        _ = 1 / 0
    with in_flight.counted():
        in_flight.give_way()

    assert pauses == []
