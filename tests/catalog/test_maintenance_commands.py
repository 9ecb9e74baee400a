from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command

from catalog.models import Relation, Warehouse
from tests.catalog.lake import age, append, drop, ids_of, make_table, metadata_of, plant, stored


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def run_json(*arguments: str) -> Any:
    return orjson.loads(run(*arguments, "--json"))


@pytest.fixture
def lake(warehouse: Warehouse) -> Warehouse:
    make_table(warehouse)
    make_table(warehouse, "u")
    for number in range(3):
        append(warehouse, number)
    append(warehouse, 7, name="u")
    age(stored(warehouse))
    return warehouse


def test_compact_expire_and_fsck_one_after_the_other(lake: Warehouse) -> None:
    before = stored(lake)
    assert "3 files would become 1, 3 rows" in run("lake_compact", "ns.t", "--min-files", "3", "--dry-run")
    assert "2 snapshots would go" in run("lake_expire", "--older-than", "0", "--keep", "1", "--dry-run")
    assert stored(lake) == before

    compacted = run_json("lake_compact", "--min-files", "3")
    expired = run_json("lake_expire", "ns.t", "--older-than", "0")

    assert [one["files_after"] for one in compacted["tables"]] == [1, 0]
    assert [len(one["snapshots"]) for one in expired["tables"]] == [3]
    assert expired["tables"][0]["removal"]["files"] == 9  # three of rows, three manifests, three lists
    assert run_json("lake_fsck")["faults"] == []
    assert ids_of(lake) == [0, 1, 2]
    assert (len(metadata_of("u")["snapshots"]), ids_of(lake, "u")) == (1, [7])


def test_orphans_are_deleted_only_when_that_is_asked_for(lake: Warehouse) -> None:
    lost = plant(lake, "lost.parquet")

    assert lost in run("lake_orphans")
    assert lost in run("lake_orphans", "--dry-run")
    assert lost in stored(lake)
    with pytest.raises(CommandError, match="opposite"):
        run("lake_orphans", "--delete", "--dry-run")
    with pytest.raises(CommandError, match="under way"):
        run("lake_orphans", "--delete", "--older-than", "1m")
    assert run_json("lake_orphans", "--delete")["locations"] == [lost]
    assert lost not in stored(lake)


def test_dropped_tables_are_purged(lake: Warehouse) -> None:
    dropped = drop(lake, purge=True)

    assert run("lake_purge") == "No dropped table is due.\n"
    assert "ns.t: would go" in run("lake_purge", "--older-than", "0", "--dry-run")
    assert Relation.objects.filter(pk=dropped.pk).exists()
    assert run_json("lake_purge", "--id", str(dropped.pk))["tables"][0]["table"] == "ns.t"
    assert not Relation.objects.filter(pk=dropped.pk).exists()
    with pytest.raises(CommandError, match="no dropped table"):
        run("lake_purge", "--id", str(dropped.pk))


def test_a_table_that_fails_keeps_no_other_and_the_status_tells(lake: Warehouse) -> None:
    for name in ("t", "u"):
        append(lake, 8, name=name)
    listed = Path(metadata_of()["snapshots"][-1]["manifest-list"].removeprefix("file://"))
    listed.rename(listed.with_suffix(".away"))

    with pytest.raises(CommandError, match=r"ns\.t: .*no such file"):
        run("lake_compact", "--min-files", "2")
    assert len(metadata_of("u")["snapshots"]) == 3
    with pytest.raises(CommandError, match="No file was deleted"):
        run("lake_expire", "--older-than", "0")
    with pytest.raises(CommandError, match="faults"):
        run("lake_fsck")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lake_expire", "ns.none"), "does not exist"),
        (("lake_expire", "none"), "write namespace.table"),
        (("lake_expire", "--older-than", "soon"), "Write 7d"),
        (("lake_compact", "--target-size", "0"), "--target-size"),
        (("lake_fsck", "--warehouse", "none"), "Warehouse does not exist"),
    ],
)
def test_what_is_wrong_is_said(lake: Warehouse, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments)
