"""Two servers on one database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.pair import run_pair
from tests.chaos.world import Storage, World

pytestmark = pytest.mark.slow


def test_two_servers_lose_nothing_and_agree(make_world: Callable[[Storage], World], seed: int) -> None:
    result = run_pair(make_world("local"), 2, seed)

    assert result.is_clean, result.report()
    assert result.acknowledged > 0
