"""Recall and time of filtered searches, by the share of items that pass and by how the filter lies to the query.

    .venv/bin/python -m benchmarks.filtered_search DIRECTORY [--copies N]

DIRECTORY holds ``vectors.npy`` (n, d) and ``queries.npy``. Filters are random, or pass the items of one cluster while
the query comes from another: then nearly all neighbours in the graph fail. `--copies` adds N noisy copies of every
vector, for a larger index. In process, without HTTP; the truth is computed in float64. Times are those the searching
thread has had on a processor, which other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
NAME, K, SEED = "filtered", 10, 1
SHARES = (0.5, 0.1, 0.03, 0.01, 0.001)
CLUSTERS = (4, 30, 100, 1000)


def unit(rows: NDArray[Any]) -> Rows:
    wide = rows.astype(np.float64)
    rows_of_length_one: Rows = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    return rows_of_length_one


def nearest_center(rows: Rows, centers: Rows) -> NDArray[np.intp]:
    return np.concatenate([(rows[i : i + 4096] @ centers.T).argmax(axis=1) for i in range(0, len(rows), 4096)])


def fill(rows: Rows, metadata: Sequence[Mapping[str, float]]) -> None:
    from vectors import indexes, replicas, validation, writes

    indexes.create_index(new=validation.NewIndex(NAME, rows.shape[1]))
    import base64

    for start in range(0, len(rows), 5_000):
        items = [
            {"id": f"{i:07}", "vector_b64": base64.b64encode(rows[i].tobytes()).decode(), "metadata": metadata[i]}
            for i in range(start, min(start + 5_000, len(rows)))
        ]
        state = indexes.index_state(name=NAME)
        batch = validation.parse_add({"items": items}, state.dimension, state.distance, 10_000)
        writes.add_items(state=state, batch=batch)
    graph = replicas.replicas.current(indexes.index_state(name=NAME))
    while graph.move_chunk(threads=-1, seconds=0.25):
        pass


def run(queries: Rows, wanted: dict[str, Any] | None) -> tuple[list[list[int]], float, int]:
    """Return the hits of each query, the median processor time in milliseconds, and how many answers were exact."""
    from vectors import indexes, search
    from vectors import queries as bodies

    found, times, exact = [], [], 0
    for query in [queries[0], *queries]:
        started = time.thread_time()
        state = indexes.index_state(name=NAME)
        parsed = bodies.parse_search({"vector": query.tolist(), "k": K, "filter": wanted}, state.dimension, "cosine")
        answer = search.search_index(state=state, query=parsed)
        times.append(time.thread_time() - started)
        exact += answer.is_exact
        found.append([int(hit.key) for hit in answer.hits[0]])
    return found[1:], 1000 * statistics.median(times[1:]), exact


def report(
    what: str, rows: Rows, queries: Rows, passes: NDArray[np.bool_] | None, wanted: dict[str, Any] | None
) -> None:
    chosen = np.arange(len(rows)) if passes is None else np.flatnonzero(passes)
    found, milliseconds, exact = run(queries, wanted)
    hits = total = 0
    for query, keys in zip(queries.astype(np.float64), found, strict=True):
        far = 1 - rows[chosen].astype(np.float64) @ query
        limit = np.sort(far)[min(K, len(far)) - 1] + 1e-9
        assert len(keys) == min(K, len(chosen))
        position = {int(i): n for n, i in enumerate(chosen)}
        hits += sum(far[position[key]] <= limit for key in keys)
        total += min(K, len(chosen))
    share = 100 * len(chosen) / len(rows)
    print(
        f"{what:<34} {share:7.2f} %  recall {hits / total:.4f}  {milliseconds:6.2f} ms  exact {exact}/{len(found) + 1}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=0)
    parser.add_argument("--queries", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("LAKEHOUSE_DATA_DIR", folder)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
        os.environ.setdefault("LAKEHOUSE_LOG_LEVEL", "ERROR")
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        measure(options)


def measure(options: argparse.Namespace) -> None:
    rng = np.random.default_rng(SEED)
    base = unit(np.load(options.folder / "vectors.npy"))
    noisy = [base + rng.normal(0, 0.03, base.shape).astype(np.float32) for _ in range(options.copies)]
    rows = unit(np.concatenate([base, *noisy]))
    queries = unit(np.load(options.folder / "queries.npy"))[: options.queries]
    draw = rng.permutation(len(rows)) / len(rows)
    centers = {count: rows[rng.choice(len(rows), count, replace=False)] for count in CLUSTERS}
    cluster = {count: nearest_center(rows, one) for count, one in centers.items()}
    metadata = [
        {"r": float(draw[i]), **{f"c{count}": int(of[i]) for count, of in cluster.items()}} for i in range(len(rows))
    ]
    fill(rows, metadata)
    report("no filter", rows, queries, None, None)
    for share in SHARES:
        report("random", rows, queries, draw < share, {"r": {"$lt": share}})
    for count, of in cluster.items():
        mine = int(np.bincount(of[: len(base)]).argmax()) if count == CLUSTERS[0] else int(of[rng.integers(len(rows))])
        far = rows[(rows @ centers[count][mine]).argsort()[: 20 * options.queries]]
        others = far[rng.choice(len(far), options.queries, replace=False)]
        report(f"one of {count} clusters, from afar", rows, others, of == mine, {f"c{count}": mine})
        report(f"one of {count} clusters, any query", rows, queries, of == mine, {f"c{count}": mine})
        report(f"all but one of {count} clusters, from it", rows, rows[of == mine][: options.queries], of != mine,
               {f"c{count}": {"$ne": mine}})  # fmt: skip


if __name__ == "__main__":
    main()
