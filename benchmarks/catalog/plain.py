"""Plain DuckDB in a process of its own: `python -m benchmarks.catalog.plain copy CSV FOLDER`, or `query FILES`.

`query` answers each line of standard input, a statement, with the seconds it took; the first is of a fresh process.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

STARTED = time.perf_counter()


def copy(source: str, folder: str) -> None:
    """Write a CSV as Parquet, with the options of our ingest's worker; print what it took."""
    import duckdb

    connection = duckdb.connect(config={"threads": len(os.sched_getaffinity(0))})
    started = time.perf_counter()
    rows = connection.execute(
        f"COPY (SELECT * FROM read_csv('{source}', sample_size = 20480)) TO '{folder}'"  # noqa: S608 (our own paths)
        " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, FILE_SIZE_BYTES '256MB')"
    ).fetchone()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": rows[0] if rows else 0, "seconds": seconds, "peak_mb": peak}))


def query(files: str) -> None:
    """Answer statements over `orders`, the Parquet files, each with all of its rows fetched."""
    import duckdb

    connection = duckdb.connect(config={"threads": len(os.sched_getaffinity(0))})
    connection.execute(f"CREATE VIEW orders AS SELECT * FROM read_parquet('{files}')")  # noqa: S608 (our own path)
    for line in sys.stdin:
        started = time.perf_counter()
        rows = connection.execute(line).fetchall()
        took = time.perf_counter() - started
        print(
            json.dumps({"seconds": took, "since_start": time.perf_counter() - STARTED, "rows": len(rows)}), flush=True
        )


if __name__ == "__main__":
    if sys.argv[1] == "copy":
        copy(sys.argv[2], sys.argv[3])
    else:
        query(sys.argv[2])
