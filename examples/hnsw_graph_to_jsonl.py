"""Write the items of a graph that the Go library coder/hnsw exported as JSON lines for `index_import`.

``PYTHONPATH=. .venv/bin/python examples/hnsw_graph_to_jsonl.py GRAPH DIMENSION FILE``

Such a graph has ids and vectors, and no metadata.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from lakehouse_site.errors import DamagedFile
from vectors.coder_hnsw import read_items


def main(graph: str, dimension: str, file: str) -> None:
    count = 0
    with Path(graph).open("rb") as source, Path(file).open("w", encoding="utf-8") as lines:
        for key, vector in read_items(source, 0, Path(graph).stat().st_size, int(dimension)):
            item = {"id": key, "vector_b64": base64.b64encode(vector).decode()}
            lines.write(json.dumps(item, ensure_ascii=False) + "\n")
            count += 1
    sys.stdout.write(f"{count} items\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: hnsw_graph_to_jsonl.py GRAPH DIMENSION FILE")
    try:
        main(*sys.argv[1:])
    except DamagedFile as error:
        raise SystemExit(f"{sys.argv[1]}: {error.detail}") from error
