"""The service over HTTP beside the same calls made directly on hnswlib, and beside a bare DRF view, in one run.

    .venv/bin/python benchmarks/http_vs_hnswlib.py DIRECTORY

DIRECTORY holds ``vectors.npy`` (n, d), ``items.jsonl`` (id, metadata), ``queries.npy`` and, for recall,
``truth_top10.npy``; without one, the 2,000 documents of the demo are used. Every measurement is taken in several rounds
that take turns, and quoted as minimum, median and maximum, so that the machine's noise is seen.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
import orjson

ROOT = Path(__file__).resolve().parent.parent
SERVICE_PORT, BARE_PORT = 8731, 8732
BENCHMARKS = ROOT / "benchmarks"
# One thread: the fastest setting for one connection.
BARE_OPTIONS = ["--interface", "wsgi", "--workers", "1", "--blocking-threads", "1", "--port", str(BARE_PORT)]
K = 10


class Connection:
    """One kept-alive HTTP connection."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def post(self, path: str, body: bytes, method: str = "POST") -> Any:
        self._http.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._http.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{path}: {answer.status} {data[:500]!r}")
        return orjson.loads(data) if data else None


class Data:
    def __init__(self, folder: Path) -> None:
        self.vectors = np.load(folder / "vectors.npy").astype(np.float32)
        self.queries = np.load(folder / "queries.npy").astype(np.float32)
        self.items = [json.loads(line) for line in (folder / "items.jsonl").open()]
        truth = folder / "truth_top10.npy"
        self.truth = np.load(truth) if truth.exists() else None
        self.count, self.dimension = self.vectors.shape

    def bodies(self, size: int, *, as_json: bool) -> list[bytes]:
        return [
            orjson.dumps({"items": [self._item(i, as_json) for i in range(s, min(s + size, self.count))]})
            for s in range(0, self.count, size)
        ]

    def searches(self) -> list[bytes]:
        return [orjson.dumps({"vector": query.tolist(), "k": K}) for query in self.queries]

    def _item(self, i: int, as_json: bool) -> dict[str, Any]:
        row = self.vectors[i]
        vector = {"vector": row.tolist()} if as_json else {"vector_b64": base64.b64encode(row.tobytes()).decode()}
        return {"id": self.items[i]["id"], "metadata": self.items[i]["metadata"], **vector}


def start(arguments: list[str], environment: dict[str, str], port: int, folder: Path = ROOT) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        arguments, cwd=folder, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    for _ in range(600):
        try:
            Connection(port).post("/health", b"", "GET")
            return process
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server did not start")


def clients(count: int, port: int, path: str, bodies: list[bytes], seconds: float) -> tuple[float, list[float]]:
    """Let `count` processes search for some seconds; return searches per second and all latencies."""
    with tempfile.TemporaryDirectory() as folder:
        bodies_file = Path(folder) / "bodies.json"
        bodies_file.write_bytes(b"\n".join(bodies))
        command = [sys.executable, __file__, "--client", str(port), path, str(bodies_file), str(seconds)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
        latencies = [latency for process in running for latency in json.loads(process.communicate()[0])]
    return len(latencies) / seconds, latencies


def client(port: int, path: str, bodies_file: str, seconds: float) -> None:
    bodies = Path(bodies_file).read_bytes().split(b"\n")
    connection, latencies, i = Connection(port), [], os.getpid() % len(bodies)
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        connection.post(path, bodies[i % len(bodies)])
        latencies.append(time.perf_counter() - started)
        i += 1
    print(json.dumps(latencies))


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def spread(values: list[float], unit: str) -> str:
    return f"{statistics.median(values):>10,.0f} {unit:<10} (min {min(values):,.0f}, max {max(values):,.0f})"


def build_directly(data: Data, threads: int) -> tuple[float, Any]:
    index = hnswlib.Index("cosine", data.dimension)
    started = time.perf_counter()
    index.init_index(data.count, M=16, ef_construction=200)
    for s in range(0, data.count, 1_000):
        index.add_items(data.vectors[s : s + 1_000], np.arange(s, min(s + 1_000, data.count)), num_threads=threads)
    return data.count / (time.perf_counter() - started), index


def add_over_http(data: Data, connection: Connection, name: str, bodies: list[bytes]) -> float:
    connection.post("/v1/vectors/index", orjson.dumps({"name": name, "dimension": data.dimension}))
    started = time.perf_counter()
    for body in bodies:
        connection.post(f"/v1/vectors/index/{name}/add", body)
    return float(data.count / (time.perf_counter() - started))


def let_graph_grow(connection: Connection, name: str, search: bytes, count: int) -> None:
    """Load the index by a search and leave the server alone for twice the time the graph takes with all cores."""
    connection.post(f"/v1/vectors/index/{name}/search", search)
    if count > 10_000:
        time.sleep(2 * count / 5_000)


def recall(data: Data, connection: Connection, name: str, **options: Any) -> float:
    assert data.truth is not None
    shares = []
    for query, truth in zip(data.queries, data.truth, strict=True):
        body = orjson.dumps({"vector": query.tolist(), "k": K, **options})
        hits = connection.post(f"/v1/vectors/index/{name}/search", body)["results"]
        shares.append(len({hit["id"] for hit in hits} & {data.items[i]["id"] for i in truth}) / K)
    return float(np.mean(shares))


def search_directly(index: Any, data: Data, seconds: float) -> float:
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        index.knn_query(data.queries[done % len(data.queries)], k=K, num_threads=1)
        done += 1
    return done / seconds


def while_adding(data: Data, name: str, bodies: list[bytes], searches: list[bytes]) -> tuple[list[float], float]:
    """Search on one connection while another adds all data into the same index under new ids; return latencies."""
    added: list[float] = []

    def write() -> None:
        connection = Connection(SERVICE_PORT)
        started = time.perf_counter()
        for body in bodies:
            connection.post(f"/v1/vectors/index/{name}/add", body)
        added.append(len(bodies) * 1_000 / (time.perf_counter() - started))

    writer = threading.Thread(target=write)
    latencies: list[float] = []
    connection = Connection(SERVICE_PORT)
    writer.start()
    i = 0
    while writer.is_alive():
        started = time.perf_counter()
        connection.post(f"/v1/vectors/index/{name}/search", searches[i % len(searches)])
        latencies.append(time.perf_counter() - started)
        i += 1
    return latencies, added[0]


def measure(data: Data, rounds: int, seconds: float) -> None:
    base64_bodies, json_bodies = data.bodies(1_000, as_json=False), data.bodies(1_000, as_json=True)
    searches = data.searches()
    connection = Connection(SERVICE_PORT)
    build: dict[str, list[float]] = {"hnswlib, 2 threads": [], "HTTP, vector_b64": [], "HTTP, JSON numbers": []}
    for turn in range(rounds):
        speed, index = build_directly(data, 2)
        build["hnswlib, 2 threads"].append(speed)
        build["HTTP, vector_b64"].append(add_over_http(data, connection, f"b{turn}", base64_bodies))
        build["HTTP, JSON numbers"].append(add_over_http(data, connection, f"j{turn}", json_bodies))
    print(f"\nadd {data.count} × {data.dimension} in batches of 1,000")
    for what, speeds in build.items():
        print(f"  {what:<34}{spread(speeds, 'vectors/s')}")

    let_graph_grow(Connection(SERVICE_PORT), "b0", searches[0], data.count)
    index.set_ef(64)
    rows = Path(tempfile.gettempdir()) / f"bare-view-{os.getpid()}.npy"
    np.save(rows, data.vectors)
    bare = start(
        [sys.executable, "-m", "granian", "bare_view:application", *BARE_OPTIONS],
        {**os.environ, "BARE_VIEW_VECTORS": str(rows)},
        BARE_PORT,
        BENCHMARKS,
    )
    try:
        searching: dict[str, list[float]] = {}
        tails: dict[str, list[float]] = {}
        for _ in range(rounds):
            searching.setdefault("hnswlib in process", []).append(search_directly(index, data, seconds))
            for count in (1, 8):
                for what, port, path in (
                    ("bare DRF view", BARE_PORT, "/search"),
                    ("service", SERVICE_PORT, "/v1/vectors/index/b0/search"),
                ):
                    speed, latencies = clients(count, port, path, searches, seconds)
                    searching.setdefault(f"{what}, {count} connection(s)", []).append(speed)
                    tails.setdefault(f"{what}, {count} connection(s)", []).append(percentile(latencies, 0.99) * 1e3)
        print(f"\nsearch, k = {K}, metadata in the answer")
        for what, speeds in searching.items():
            tail = f"  p99 {statistics.median(tails[what]):.1f} ms" if what in tails else ""
            print(f"  {what:<34}{spread(speeds, 'searches/s')}{tail}")
    finally:
        os.killpg(bare.pid, signal.SIGTERM)
        bare.wait()
        rows.unlink()

    for what, bodies in (("vector_b64", base64_bodies), ("JSON numbers", json_bodies)):
        renamed = [body.replace(b'"id":"', b'"id":"' + what[:1].encode() + b"-") for body in bodies]
        latencies, speed = while_adding(data, "b0", renamed, searches)
        print(
            f"\nsearching while {what} are added at {speed:,.0f} vectors/s: {len(latencies)} searches, "
            f"median {statistics.median(latencies) * 1e3:.1f} ms, p99 {percentile(latencies, 0.99) * 1e3:.1f} ms, "
            f"worst {max(latencies) * 1e3:.1f} ms"
        )
    if data.truth is not None:
        connection = Connection(SERVICE_PORT)
        let_graph_grow(connection, "j0", searches[0], data.count)
        print(
            f"\nrecall@10: {recall(data, connection, 'j0'):.4f};",
            f"exact: {recall(data, connection, 'j0', exact=True):.4f}",
        )


def main() -> None:
    if sys.argv[1:2] == ["--client"]:
        client(int(sys.argv[2]), sys.argv[3], sys.argv[4], float(sys.argv[5]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=ROOT / "demo" / "debian_packages")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", type=int, help="threads of the server")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LAKEHOUSE_DATA_DIR": folder}
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True)
        threads = ["--threads", str(options.threads)] if options.threads else []
        server = start([*manage, "serve", "--bind", f"127.0.0.1:{SERVICE_PORT}", *threads], environment, SERVICE_PORT)
        try:
            measure(Data(options.data), options.rounds, options.seconds)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


if __name__ == "__main__":
    main()
