"""A process that works on the same database as a server, without the server: commands from stdin, answers to stdout.

One line of JSON each: ``{"command", "name", "body"}`` in, ``[status, answer]`` out, with the answers and statuses of
the HTTP API. `answer` alone does the same inside a test's own process.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

MAX_ITEMS = 10_000
MAX_METADATA_BYTES = 1_000_000


def answer(command: str, name: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Call the services behind one call of the API; return its status and what it answers."""
    from lakehouse_site.errors import LakehouseError
    from lakehouse_site.problems import response_for

    try:
        return (201 if command == "create" else 204 if command == "drop" else 200), COMMANDS[command](name, body)
    except LakehouseError as error:
        response = response_for(error)
        return (500 if response is None else response.status_code), {"code": error.code, "detail": error.detail}


def _create(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes, validation

    return _info(indexes.create_index(new=validation.parse_new_index({"name": name, **body})))


def _drop(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes

    indexes.drop_index(name=name)


def _list(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes

    return {"results": [_info(info) for info in indexes.describe_all(list(indexes.list_indexes()))]}


def _add(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes, validation, writes

    state = indexes.index_state(name=name)
    batch = validation.parse_add(body, state.dimension, state.distance, MAX_ITEMS)
    return asdict(writes.add_items(state=state, batch=batch))


def _delete(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes, validation, writes

    state, which = indexes.index_state(name=name), validation.parse_delete(body, MAX_ITEMS)
    if isinstance(which, list):
        return asdict(writes.delete_items(state=state, keys=which))
    return asdict(writes.delete_matching(state=state, wanted=which))


def _count(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes, items, validation

    wanted = validation.parse_count(body)
    return {"count": items.count_items(state=indexes.index_state(name=name), wanted=wanted)}


def _patch(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes, validation, writes

    state, patches = indexes.index_state(name=name), validation.parse_patch(body, MAX_ITEMS)
    return asdict(writes.patch_items(state=state, patches=patches, max_bytes=MAX_METADATA_BYTES))


def _merge(name: str, body: dict[str, Any]) -> Any:
    from vectors import merge, validation

    return asdict(merge.merge_indexes(source=name, merge=validation.parse_merge(body)))


def _search(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes, queries, search

    state = indexes.index_state(name=name)
    query = queries.parse_search(body, state.dimension, state.distance)
    found = search.search_index(state=state, query=query)
    results = [{"id": hit.key, "distance": hit.distance, "metadata": _metadata(hit.metadata)} for hit in found.hits[0]]
    return {"results": results, "exact": found.is_exact, "seq": found.seq}


def _fetch(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes, items, validation

    keys, include = validation.parse_fetch(body, MAX_ITEMS)
    found, missing = items.fetch_items(state=indexes.index_state(name=name), keys=keys, include=include)
    return {"items": [_item(row) for row in found], "missing": missing}


def _items(name: str, body: dict[str, Any]) -> Any:
    from vectors import indexes, items

    state = indexes.index_state(name=name)
    page, cursor = items.list_items(
        state=state, cursor=body.get("cursor"), limit=body["limit"], include={"vector", "metadata"}
    )
    return {"items": [_item(row) for row in page], "next": cursor}


def _info(info: Any) -> dict[str, Any]:
    facts = asdict(info)
    return {name: facts[name] for name in ("name", "dimension", "distance", "count", "seq")}


def _item(row: Any) -> dict[str, Any]:
    import numpy as np

    vector = np.frombuffer(row.vector, "<f4").tolist()
    return {"id": row.key, "metadata": _metadata(row.metadata), "vector": vector}


def _metadata(text: str | None) -> Any:
    return None if text is None else json.loads(text)


COMMANDS: dict[str, Callable[[str, dict[str, Any]], Any]] = {
    "create": _create,
    "drop": _drop,
    "list": _list,
    "add": _add,
    "delete": _delete,
    "count": _count,
    "patch": _patch,
    "merge": _merge,
    "search": _search,
    "fetch": _fetch,
    "items": _items,
}


def main() -> None:
    """Set up Django, say that it is ready, and answer until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph-min-items", type=int)
    options = parser.parse_args()
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    if options.graph_min_items is not None:
        from tests.e2e.small_graphs import build_graphs_above

        build_graphs_above(options.graph_min_items)
    _say("ready")
    for line in sys.stdin:
        _say(answer(**json.loads(line)))


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
