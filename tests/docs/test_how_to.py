"""The how-to pages on merging, quarantine, upgrading and the Go service, followed to the letter."""

from __future__ import annotations

import json
import runpy
import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.conf import settings

from distillation.models import QuarantinedLine, RecallNotice, ScoredRun
from tests.docs.pages import page, steps_of
from tests.docs.shell import Shell
from tests.factories import add, make_index
from tests.processes import ROOT
from tests.vectors.lhv1_files import GOLDEN
from vectors.indexes import index_state
from vectors.items import fetch_items

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True, reset_sequences=True)]


def follow(shell: Shell, name: str, skip: Sequence[str] = ()) -> list[str]:
    return shell.follow(steps_of(page(f"how-to/{name}.md")), skip=skip)


def test_fresh_is_merged_into_main(shell: Shell) -> None:
    follow(shell, "merge-fresh-into-main")

    assert index_state(name="main").live_count == 2000


def test_the_quarantine_is_reviewed(shell: Shell) -> None:
    follow(shell, "review-quarantine")

    decided = dict(QuarantinedLine.objects.exclude(status="open").values_list("pk", "status"))
    assert decided == {3: "discarded", 5: "discarded", 24: "released", 49: "discarded", 50: "released",
                       51: "discarded", 52: "discarded"}  # fmt: skip
    assert not ScoredRun.objects.filter(is_disputed=True).exists()
    assert not RecallNotice.objects.exists()


def test_an_installation_is_upgraded(shell: Shell) -> None:
    make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])
    (shell.folder / "var").mkdir()
    (shell.folder / "var" / "lakehouse.sqlite3").symlink_to(settings.DATABASES["default"]["NAME"])
    # These change this repository and this machine.
    skip = ("git pull", "make install", "sudo systemctl")

    printed: list[Any] = follow(shell, "upgrade", skip)

    assert printed[-1].startswith("docs: recall@10 is 1.0000")
    with closing(sqlite3.connect(shell.folder / "before-upgrade.sqlite3")) as copy:
        assert copy.execute("SELECT name FROM vectors_vectorindex").fetchall() == [("docs",)]


def test_files_of_the_go_service_come_over(shell: Shell) -> None:
    file = (GOLDEN / "v2.lhv1").read_bytes()
    (shell.folder / "graph.bin").write_bytes(file[8 + int.from_bytes(file[4:8], "big") :])

    follow(shell, "from-the-go-service")

    assert index_state(name="bare").live_count == 12


def test_a_damaged_graph_is_refused_with_its_place(shell: Shell) -> None:
    (shell.folder / "graph.bin").write_bytes(b"\x02\x20")

    with pytest.raises(AssertionError, match=r"graph.bin: Byte \d+: .* should follow"):
        shell.run("PYTHONPATH=. .venv/bin/python examples/hnsw_graph_to_jsonl.py graph.bin 2 items.jsonl")


def test_a_collection_of_chroma_comes_over(shell: Shell) -> None:
    # What the client of Chroma 1.5 returned for a real collection, at offsets 0, 1, 2, 3 and 4.
    page_of_chroma = {
        "ids": ["n0", "n1", "n2", "n3", "n4"],
        "embeddings": np.array([[i + 0.1, 1.0, -0.25] for i in range(5)], np.float32).astype(np.float64),
        "metadatas": [None, *({"ok": True, "lang": "en", "i": i} for i in range(1, 5))],
        "documents": [None, "text 1 é", None, "text 3 é", None],
        "uris": None,
        "included": ["embeddings", "metadatas", "documents"],
        "data": None,
    }
    script = runpy.run_path(str(ROOT / "examples" / "chroma_to_jsonl.py"))
    lines = list(script["lines_of"](page_of_chroma))
    (shell.folder / "notes.jsonl").write_text("".join(line + "\n" for line in lines))

    follow(shell, "from-chroma", skip=("python examples/chroma_to_jsonl.py",))

    found, _ = fetch_items(state=index_state(name="notes"), keys=["n0", "n3"], include=("metadata", "vector"))
    assert [(json.loads(row.metadata or ""), row.vector) for row in found] == [
        ({}, struct.pack("<3f", 0.1, 1, -0.25)),
        ({"ok": True, "lang": "en", "i": 3, "document": "text 3 é"}, struct.pack("<3f", 3.1, 1, -0.25)),
    ]


def test_distances_of_chroma_have_a_counterpart() -> None:
    distance_of = runpy.run_path(str(ROOT / "examples" / "chroma_to_jsonl.py"))["distance_of"]
    made = [({"hnsw": {"space": "cosine"}}, None), ({}, {"hnsw:space": "ip"}), (None, None)]

    found = [distance_of(SimpleNamespace(configuration_json=one, metadata=other)) for one, other in made]

    assert found == ["cosine", "dot", "euclidean"]
