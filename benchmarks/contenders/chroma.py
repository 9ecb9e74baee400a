"""Chroma's own server, asked over its HTTP API with the same thin client as the service."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from benchmarks.children import Child, free_port, is_listening
from benchmarks.contenders.catalogue import Served
from benchmarks.data import Data, Float32s, K
from benchmarks.http_call import Connection, message

API = "/api/v2/tenants/default_tenant/databases/default_database/collections"


def serve(stack: ExitStack, folder: Path, python: Path) -> Served:
    port = free_port()
    program = python.with_name("chroma")
    command: list[str | Path] = [program, "run", "--path", folder / "data", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
    child = Child(command, folder=folder, environment=environment, log=folder / "log")
    stack.callback(child.stop)
    child.wait_until(lambda: is_listening(port))
    found = [path.name.split("-")[1] for path in python.parent.parent.glob("lib/*/site-packages/chromadb-*.dist-info")]
    release = found[0].removesuffix(".dist") if found else "of unknown version"
    return Served({"port": port, "release": release}, child.pid, folder / "data")


def make(config: dict[str, Any]) -> Chroma:
    return Chroma(config["port"], config["release"])


class Chroma:
    def __init__(self, port: int, release: str) -> None:
        self._http = Connection(port)
        self._release = release
        self._paths: dict[str, str] = {}

    def version(self) -> str:
        return f"chromadb {self._release}"

    def create(self, name: str, dimension: int, *, indexed: bool, effort: int) -> None:
        graph = {"space": "cosine", "max_neighbors": 16, "ef_construction": 200, "ef_search": effort}
        made = self._http.call("POST", API, {"name": name, "configuration": {"hnsw": graph}})
        self._paths[name] = f"{API}/{made['id']}"

    def drop(self, name: str) -> None:
        self._http.call("DELETE", f"{API}/{name}")
        self._paths.pop(name)

    def batch(self, data: Data, low: int, high: int) -> Any:
        fields = {"ids": data.keys[low:high], "embeddings": data.vectors[low:high].tolist()}
        return orjson.dumps({**fields, "metadatas": [_flat(one) for one in data.metadata[low:high]]})

    def add(self, name: str, batch: Any) -> None:
        self._http.ask(message("POST", f"{self._paths[name]}/add", batch))

    def finish(self, name: str) -> None:
        pass

    def tune(self, name: str, effort: int) -> None:
        """Do nothing: the server takes a new ef_search, and goes on searching with the old one."""

    def question(self, name: str, vectors: Float32s, below: int | None) -> Any:
        limit = {} if below is None else {"where": {"n": {"$lt": below}}}
        fields = {"query_embeddings": vectors.tolist(), "n_results": K, "include": ["metadatas", "distances"]}
        return message("POST", f"{self._path(name)}/query", json.dumps({**fields, **limit}).encode())

    def ask(self, question: Any) -> Any:
        return self._http.ask(question)

    def ids(self, answer: Any) -> list[list[str]]:
        found: list[list[str]] = json.loads(answer)["ids"]
        return found

    def _path(self, name: str) -> str:
        # Another worker may have made the collection, perhaps anew under this name.
        return f"{API}/{self._http.call('GET', f'{API}/{name}')['id']}"


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """Return metadata in the only form that every release of Chroma takes: no lists, no null."""
    flat = {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in fields.items()}
    return {name: value for name, value in flat.items() if value is not None}
