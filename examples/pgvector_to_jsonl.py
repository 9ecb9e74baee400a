"""Write a table of pgvector as JSON lines for `index_import`: ``python pgvector_to_jsonl.py TABLE ID VECTOR FILE``.

ID and VECTOR are columns; all others become metadata. The database is that of the variable ``SOURCE_URL``, a URL or a
connection string of Postgres. One transaction reads it all, so the file is as of one moment; rows without a vector are
passed over. Needs psycopg, which our environment has.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psycopg
from psycopg import sql

ROWS_AT_A_TIME = 1_000


def main(table: str, key: str, vector: str, file: str) -> None:
    # pgvector writes the shortest text from which the same float32 comes back; to_jsonb keeps the types of the others.
    query = sql.SQL("SELECT t.{key}::text, t.{vector}::text, to_jsonb(t) - %s - %s FROM {table} t").format(
        key=sql.Identifier(key), vector=sql.Identifier(vector), table=sql.Identifier(*table.split("."))
    )
    count, skipped, dimension = 0, 0, 0
    with psycopg.connect(os.environ["SOURCE_URL"]) as connection, Path(file).open("w", encoding="utf-8") as lines:
        rows = connection.cursor(name="items")  # on the server: the table may be larger than memory
        rows.itersize = ROWS_AT_A_TIME
        for row_id, numbers, metadata in rows.execute(query, (key, vector)):
            if numbers is None:
                skipped += 1
                continue
            item = {"id": row_id, "vector": json.loads(numbers), "metadata": metadata}
            lines.write(json.dumps(item, ensure_ascii=False) + "\n")
            count, dimension = count + 1, len(item["vector"])
    sys.stdout.write(f"{count} items of {dimension} numbers, {skipped} rows without a vector passed over\n")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit("usage: pgvector_to_jsonl.py TABLE ID VECTOR FILE")
    main(*sys.argv[1:])
