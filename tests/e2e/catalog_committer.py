"""Appends rows to a table until told to stop: `python -m tests.e2e.catalog_committer URL TABLE FIRST COUNT`.

Each row has an id of its own, counted from FIRST. A line is printed before each append and one after it that says what
became of it: `sent 7`, then `done 7` if it was acknowledged, `lost 7` if nobody knows.
"""

from __future__ import annotations

import sys
import time

import pyarrow as pa
import requests
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from tests.catalog.engines import open_catalog

GIVE_UP_SECONDS = 90


def append(catalog: RestCatalog, name: str, number: int) -> None:
    """Append one row; a conflict is no failure: load again and try again."""
    table: Table = catalog.load_table(name)
    while True:
        try:
            table.append(pa.table({"id": pa.array([number], pa.int64())}))
            return
        except CommitFailedException:
            table = catalog.load_table(name)


def main(url: str, name: str, first: int, count: int) -> None:
    catalog: RestCatalog | None = None
    deadline = time.monotonic() + GIVE_UP_SECONDS
    for number in range(first, first + count):
        while catalog is None:
            try:
                catalog = open_catalog(url)
            except requests.RequestException:
                assert time.monotonic() < deadline, "the server does not come back"
                time.sleep(0.05)
        print(f"sent {number}", flush=True)  # noqa: T201
        try:
            append(catalog, name, number)
        except Exception as error:  # noqa: BLE001  the server was killed, in whatever way that shows
            print(f"lost {number} {type(error).__name__}", flush=True)  # noqa: T201
            catalog = None
        else:
            print(f"done {number}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
