"""Object storages that fail, files that are damaged, machines that are lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.backup import run_backup
from tests.chaos.damaged import run_damages
from tests.chaos.storage_faults import run_storage_faults
from tests.chaos.world import Storage, World

pytestmark = pytest.mark.slow

MakeWorld = Callable[[Storage], World]


@pytest.mark.parametrize("storage", ["local", "s3"])
def test_a_storage_that_fails_keeps_no_write_and_no_search_back(
    make_world: MakeWorld, storage: Storage, seed: int
) -> None:
    result = run_storage_faults(make_world(storage), 1, seed, sample=4)

    assert result.is_clean, result.report()
    assert result.acknowledged > 0


def test_a_damaged_snapshot_changes_no_answer_and_is_not_restored(make_world: MakeWorld, seed: int) -> None:
    result = run_damages(make_world("local"), 1, seed, sample=15)

    assert result.is_clean, result.report()
    assert result.rounds == 15


def test_a_backup_restored_elsewhere_gives_the_same_answers(make_world: MakeWorld, seed: int) -> None:
    result = run_backup(make_world("local"), 1, seed)

    assert result.is_clean, result.report()
    assert result.graph_answers > 0
