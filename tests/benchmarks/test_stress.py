"""`manage.py stress`: what it compares, what it says, and that it sees a server that loses an item."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from lakehouse_client import Client, Item
from tests.processes import Server, environment_for, run_manage
from vectors.stress.engine import ACTS
from vectors.stress.ledger import SHOWN, Ledger, Written, differences, packed
from vectors.stress.record import Clock, Record, WrongAnswer, percentile

SMALL = ["--coordinators", "2", "--items", "60", "--dimension", "8", "--seed", "7"]
STARTING = re.compile(r"\[stress\] phase (\S+) starting \(T\+\d+\.\ds\)")
DONE = re.compile(r"\[stress\] phase (\S+) done — \d+\.\ds \(T\+\d+\.\ds\)")
PHASES = ["create", *ACTS, "check", "remove"]


class Watched(io.StringIO):
    """Standard output that lets something happen when a phase ends."""

    def __init__(self, phase: str, act: Callable[[], None]) -> None:
        super().__init__()
        self._mark = f"phase {phase} done"
        self._act = act

    def write(self, text: str) -> int:
        if self._mark in text:
            self._act()
        return super().write(text)


def stress(url: str, *arguments: str, stdout: io.StringIO | None = None) -> str:
    found = stdout or io.StringIO()
    call_command("stress", "--url", url, *SMALL, *arguments, stdout=found, stderr=io.StringIO())
    return found.getvalue()


def test_a_run_against_a_good_server_is_clean_and_shows_its_clock(shared_server: Server, tmp_path: Path) -> None:
    output = stress(shared_server.base_url, "--json", str(tmp_path / "report.json"))

    assert STARTING.findall(output) == PHASES
    assert DONE.findall(output) == PHASES
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["ok"], report["error_count"], report["difference_count"]) == (True, 0, 0)
    assert [timing["phase"] for timing in report["phase_timings"]] == PHASES
    assert report["total_elapsed_ms"] >= sum(timing["elapsed_ms"] for timing in report["phase_timings"]) - 1
    assert {"add", "search", "merge", "delete"} <= set(report["latencies"])
    assert set(report["latencies"]["search"]) == {"count", "p50_ms", "p95_ms", "p99_ms", "max_ms"}
    assert report["checked"] > 60


def test_it_removes_its_indexes(shared_server: Server) -> None:
    stress(shared_server.base_url)

    with Client(shared_server.base_url) as client:
        assert [info.name for info in client.list_indexes() if info.name.startswith("stress-")] == []


def lose_an_item(index: Any) -> None:
    item = next(iter(index.iter_items()))
    index.delete([item.id])


def change_a_vector(index: Any) -> None:
    item = next(iter(index.iter_items(include=("metadata", "vector"))))
    index.add([Item(item.id, [*item.vector[:-1], item.vector[-1] + 1])])


def change_metadata(index: Any) -> None:
    item = next(iter(index.iter_items(include=("metadata", "vector"))))
    index.add([Item(item.id, item.vector, {"other": 1})])


def invent_an_item(index: Any) -> None:
    index.add([Item("nobody's", [1.0] * 8)])


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (lose_an_item, "is missing"),
        (change_a_vector, "has another vector"),
        (change_metadata, "has metadata"),
        (invent_an_item, "was never written"),
    ],
)
def test_what_a_server_loses_or_changes_behind_its_back_is_a_failure(
    server_for_tampering: Server, tamper: Callable[[Any], None], fault: str, tmp_path: Path
) -> None:
    with Client(server_for_tampering.base_url) as client:

        def act() -> None:
            name = next(info.name for info in client.list_indexes() if info.name.endswith("-main") and info.count)
            tamper(client.index(name))

        with pytest.raises(CommandError) as raised:
            stress(server_for_tampering.base_url, "--json", str(tmp_path / "report"), stdout=Watched(ACTS[-1], act))
        for info in list(client.list_indexes()):
            client.delete_index(info.name)  # they stay, to be looked at
    assert raised.value.returncode == 1
    report = json.loads((tmp_path / "report").read_text())
    assert report["ok"] is False
    assert any(fault in difference for difference in report["differences"])


@pytest.fixture
def server_for_tampering(shared_server: Server) -> Server:
    return shared_server


@pytest.mark.slow
def test_by_itself_it_starts_a_server_and_exits_with_0(data_dir: Path) -> None:
    done = run_manage("stress", *SMALL, "--coordinators", "1", environment=environment_for(data_dir, None))

    assert "0 differences, 0 errors" in done.stdout


def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(CommandError, match=r"Not begun: http://127\.0\.0\.1:9 does not answer"):
        stress("http://127.0.0.1:9")


def test_differences_are_all_counted_and_the_first_are_shown() -> None:
    vector = packed([1.0, 2.0])
    expected = {f"k{i:03}": Written(vector, None) for i in range(SHOWN + 30)}

    found = differences("x", expected, {"unsure"}, [Item("unsure", (0.0, 0.0)), Item("k000", (1.0, 2.0))])

    assert (found.checked, found.count, len(found.shown)) == (1, SHOWN + 29, SHOWN)


def test_an_item_that_is_listed_twice_is_a_difference() -> None:
    expected = {"a": Written(packed([1.0]), None)}

    assert differences("x", expected, set(), [Item("a", (1.0,))] * 2).shown == ["x: a is listed twice"]


def test_an_update_without_metadata_keeps_what_is_stored() -> None:
    ledger = Ledger()
    ledger.wrote(["a", "b"], np.zeros((2, 1)), [{"n": 1}, {"n": 2}])

    ledger.wrote(["a", "b"], np.ones((2, 1)), [None, {}])

    assert [item.metadata for item in ledger.items.values()] == [{"n": 1}, {}]


def test_what_a_failed_write_leaves_open_is_not_held_against_the_server() -> None:
    ledger = Ledger()
    ledger.wrote(["a"], np.zeros((1, 1)), [None])

    ledger.doubted(["a", "b"])

    assert (ledger.items, ledger.unsure) == ({}, {"a", "b"})


def test_a_wrong_answer_is_an_error_of_the_run_and_the_call_still_counts() -> None:
    record = Record()

    def answer() -> None:
        raise WrongAnswer("no hit")

    with record.call("search", "x"):
        answer()

    assert (record.errors, record.error_count, record.latencies()["search"]["count"]) == (["search x: no hit"], 1, 1)


def test_the_clock_tells_each_phase_twice() -> None:
    lines: list[str] = []
    clock = Clock(lines.append)

    with clock.phase("write"):
        pass

    assert STARTING.fullmatch(lines[0])
    assert DONE.fullmatch(lines[1])


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(i) for i in range(1, 201)]

    assert [percentile(values, share) for share in (50, 95, 99)] == [100.0, 190.0, 198.0]
