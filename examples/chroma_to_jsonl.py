"""Write a Chroma collection as JSON lines for `index_import`: ``python chroma_to_jsonl.py SOURCE COLLECTION FILE``.

SOURCE is the folder of a persistent Chroma, or ``http://HOST:PORT`` of a Chroma server. Needs the package chromadb, and
runs in the environment where that is. A document becomes ``metadata["document"]``.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PAGE = 1_000
# Chroma's squared Euclidean distance orders items as ours, which is not squared.
DISTANCES = {"cosine": "cosine", "l2": "euclidean", "ip": "dot"}


def client_of(source: str) -> Any:
    """Return Chroma's own client."""
    import chromadb

    if "://" not in source:
        if not Path(source, "chroma.sqlite3").exists():
            raise SystemExit(f"{source} is no folder of Chroma: it has no chroma.sqlite3.")
        return chromadb.PersistentClient(path=source)
    url = urlsplit(source)
    return chromadb.HttpClient(host=url.hostname or "localhost", port=url.port or 8000, ssl=url.scheme == "https")


def distance_of(collection: Any) -> str:
    """Return the distance of a collection in our words."""
    hnsw = (collection.configuration_json or {}).get("hnsw") or {}
    return DISTANCES[hnsw.get("space") or (collection.metadata or {}).get("hnsw:space", "l2")]


def lines_of(page: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each item of what ``collection.get`` gave."""
    everything = zip(page["ids"], page["embeddings"], page["metadatas"], page["documents"], strict=True)
    for key, vector, metadata, document in everything:
        known = dict(metadata or {}) | ({} if document is None else {"document": document})
        packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        # Chroma gives the keys in another order each time; sorted, the same collection makes the same file.
        yield json.dumps({"id": key, "vector_b64": packed, "metadata": known}, ensure_ascii=False, sort_keys=True)


def main(source: str, name: str, file: str) -> None:
    collection = client_of(source).get_collection(name)
    count, dimension = 0, 0
    with Path(file).open("w", encoding="utf-8") as lines:
        while True:
            page = collection.get(limit=PAGE, offset=count, include=["embeddings", "metadatas", "documents"])
            if not page["ids"]:
                break
            dimension = len(page["embeddings"][0])
            lines.writelines(line + "\n" for line in lines_of(page))
            count += len(page["ids"])
    distance = distance_of(collection)
    sys.stdout.write(f"{count} items\nindex_create {name} --dimension {dimension} --distance {distance}\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: chroma_to_jsonl.py SOURCE COLLECTION FILE")
    main(*sys.argv[1:])
