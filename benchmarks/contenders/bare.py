"""The limit of the design: a DRF view that only asks hnswlib, under the server that the service runs on."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.children import Child, free_port, is_listening
from benchmarks.contenders.catalogue import Served
from benchmarks.data import ROOT, Data, Float32s, K
from benchmarks.http_call import Connection, message


def serve(stack: ExitStack, folder: Path, python: Path) -> Served:
    port = free_port()
    # One thread: the fastest setting for one connection.
    options = ["--interface", "wsgi", "--workers", "1", "--blocking-threads", "1", "--port", str(port)]
    command = [sys.executable, "-m", "granian", "benchmarks.bare_view:application", *options]
    child = Child(command, folder=ROOT, environment=dict(os.environ), log=folder / "log")
    stack.callback(child.stop)
    child.wait_until(lambda: is_listening(port))
    return Served({"port": port, "folder": str(folder)}, child.pid)


def make(config: dict[str, Any]) -> Bare:
    return Bare(config["port"], Path(config["folder"]))


class Bare:
    def __init__(self, port: int, folder: Path) -> None:
        self._http = Connection(port)
        self._folder = folder
        self._keys: list[str] = []
        self._rows: list[Float32s] = []

    def version(self) -> str:
        return f"granian {version('granian')}, djangorestframework {version('djangorestframework')}"

    def create(self, name: str, dimension: int, *, indexed: bool, effort: int) -> None:
        self._keys, self._rows = [], []

    def drop(self, name: str) -> None:
        self._keys, self._rows = [], []

    def batch(self, data: Data, low: int, high: int) -> Any:
        return data.vectors[low:high], data.keys[low:high]

    def add(self, name: str, batch: Any) -> None:
        self._rows.append(batch[0])
        self._keys += batch[1]

    def finish(self, name: str) -> None:
        """Have the view load the rows: it keeps one index, and knows no other name."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            path = Path(folder) / "rows.npy"
            np.save(path, np.concatenate(self._rows))
            self._http.call("POST", "/load", {"path": str(path), "keys": self._keys})
        self._rows = []

    def tune(self, name: str, effort: int) -> None:
        self._http.call("POST", "/tune", {"ef": effort})

    def question(self, name: str, vectors: Float32s, below: int | None) -> Any:
        return message("POST", "/search", json.dumps({"vector": vectors[0].tolist(), "k": K}).encode())

    def ask(self, question: Any) -> Any:
        return self._http.ask(question)

    def ids(self, answer: Any) -> list[list[str]]:
        return [[hit["id"] for hit in json.loads(answer)["results"]]]
