"""This service over HTTP: JSON numbers, base64 of float32, or Arrow where it takes that."""

from __future__ import annotations

import base64
import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from benchmarks.contenders.catalogue import Served
from benchmarks.data import Data, Float32s, K
from benchmarks.environments import Unavailable
from benchmarks.http_call import Connection, HttpError, message
from vectors.stress.own_server import OwnServer

API = "/v1/vectors"
ARROW = "application/vnd.apache.arrow.stream"


def serve(stack: ExitStack, folder: Path, python: Path) -> Served:
    server = OwnServer(folder)
    stack.callback(server.stop)
    server.migrate()
    return Served({"port": server.start()}, server.pid, folder)


def make(config: dict[str, Any]) -> Service:
    return Service(config["port"], config["wire"])


class Service:
    def __init__(self, port: int, wire: str) -> None:
        self._http = Connection(port)
        self._wire = wire
        self._kind = ARROW if wire == "arrow" else "application/json"
        if wire == "arrow":
            self._require_arrow()

    def version(self) -> str:
        return "this service"

    def create(self, name: str, dimension: int, *, indexed: bool, effort: int) -> None:
        self._http.call("POST", f"{API}/index", {"name": name, "dimension": dimension, "ef_search": effort})

    def drop(self, name: str) -> None:
        self._http.call("DELETE", f"{API}/index/{name}")

    def batch(self, data: Data, low: int, high: int) -> Any:
        if self._wire == "arrow":
            return _arrow(data, low, high)
        rows = zip(data.keys[low:high], data.vectors[low:high], data.metadata[low:high], strict=True)
        return orjson.dumps({"items": [{"id": key, **self._vector(row), "metadata": m} for key, row, m in rows]})

    def add(self, name: str, batch: Any) -> None:
        self._http.ask(message("POST", f"{API}/index/{name}/add", batch, self._kind))

    def finish(self, name: str) -> None:
        # The first search brings the index into memory, and the graph begins to grow.
        dimension = self._http.call("GET", f"{API}/index/{name}")["dimension"]
        self._http.call("POST", f"{API}/index/{name}/search", {"vector": [1.0] * dimension, "k": 1})

    def tune(self, name: str, effort: int) -> None:
        """Do nothing: `ef_search` is fixed when an index is made."""

    def snapshot(self, name: str) -> None:
        self._http.call("POST", f"{API}/index/{name}/snapshot", {})

    def question(self, name: str, vectors: Float32s, below: int | None) -> Any:
        target = self._vector(vectors[0]) if len(vectors) == 1 else self._vectors(vectors)
        limit = {} if below is None else {"filter": {"n": {"$lt": below}}}
        return message("POST", f"{API}/index/{name}/search", orjson.dumps({**target, "k": K, **limit}))

    def ask(self, question: Any) -> Any:
        return self._http.ask(question)

    def ids(self, answer: Any) -> list[list[str]]:
        results = json.loads(answer)["results"]
        many = results if results and isinstance(results[0], list) else [results]
        return [[hit["id"] for hit in hits] for hits in many]

    def _vector(self, row: Float32s) -> dict[str, Any]:
        if self._wire == "b64":
            return {"vector_b64": base64.b64encode(row.astype("<f4").tobytes()).decode()}
        return {"vector": row.tolist()}

    def _vectors(self, rows: Float32s) -> dict[str, Any]:
        if self._wire == "b64":
            return {"vectors_b64": [self._vector(row)["vector_b64"] for row in rows]}
        return {"vectors": rows.tolist()}

    def _require_arrow(self) -> None:
        try:
            self._http.ask(message("POST", f"{API}/index/none/add", b"", ARROW))
        except HttpError as error:
            if error.status == 415 or b"media type" in str(error).encode():
                raise Unavailable(f"the service does not take {ARROW}") from None


def _arrow(data: Data, low: int, high: int) -> bytes:
    import pyarrow as pa

    rows = data.vectors[low:high]
    table = pa.table(
        {
            "id": data.keys[low:high],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), data.dimension),
            "metadata": [json.dumps(fields) for fields in data.metadata[low:high]],
        }
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
