"""Answers about recall, also of servers that do not know it yet."""

from __future__ import annotations

from lakehouse_client import Client, RecallResult
from tests.lakehouse_client.scripted import Reply, Scripted
from tests.lakehouse_client.test_client import INFO, NOW, TIME


def test_an_index_has_its_recall_and_its_warnings(scripted: Scripted, client: Client) -> None:
    measured = {"recall": 0.5, "num": 5, "k": 3, "ann_ms": 0.1, "exact_ms": 2.5, "measured_at": NOW}
    scripted.script += [Reply(INFO | {"recall": measured, "warnings": ["Rebuild it."]}), Reply(INFO)]

    info, older = client.get_index("docs"), client.get_index("docs")

    assert (info.recall, info.warnings) == (RecallResult(0.5, 5, 3, 0.1, 2.5, TIME), ("Rebuild it.",))
    assert (older.recall, older.warnings) == (None, ())


def test_earlier_measurements_are_read(scripted: Scripted, client: Client) -> None:
    scripted.script.append(Reply({"results": [{"recall": 0.5, "num": 5, "k": 3}, {"recall": 1, "num": 5, "k": 3}]}))

    assert client.index("docs").recall_history() == (RecallResult(0.5, 5, 3), RecallResult(1, 5, 3))
    assert (scripted.received[0].method, scripted.received[0].path) == ("GET", "/v1/vectors/index/docs/recall")
