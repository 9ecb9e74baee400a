"""SIGKILL, at random and at named points; `make chaos` goes through all of them on every database and storage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.kills import run_kills
from tests.chaos.points import run_points
from tests.chaos.world import Storage, World

pytestmark = pytest.mark.slow

MakeWorld = Callable[[Storage], World]


def test_a_killed_server_has_lost_nothing_and_answers_right(make_world: MakeWorld, seed: int) -> None:
    result = run_kills(make_world("local"), 2, seed)

    assert result.is_clean, result.report()
    assert result.acknowledged > 0
    assert len(result.recoveries) == 2


@pytest.mark.parametrize("storage", ["local", "s3"])
def test_a_process_killed_at_a_named_point_leaves_everything_whole(
    make_world: MakeWorld, storage: Storage, seed: int
) -> None:
    result = run_points(make_world(storage), 1, seed, sample=3)

    assert result.is_clean, result.report()
    assert result.rounds == 3
