"""The JSON of the answers, and the search that is answered on the short way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import orjson

from vectors import indexes, queries, search
from vectors.filters import has_huge_number
from vectors.search import Answer, Hit


def search_answer(answer: Answer, query: queries.Query) -> dict[str, Any]:
    """Return the body of an answer to a search."""
    results: list[Any] = [[hit_fields(hit, query.include) for hit in hits] for hits in answer.hits]
    return {"results": results if query.is_batch else results[0], "exact": answer.is_exact, "seq": answer.seq}


def quick_search(name: str, body: bytes) -> bytes | None:
    """Answer a search that needs no time; None for one that may, and for a body that has to be read once more."""
    fields = orjson.loads(body)
    if has_huge_number(fields.get("filter")):
        return None
    state = indexes.index_state(name=name)
    query = queries.parse_search(fields, state.dimension, state.distance)
    answer = search.quick_search(state=state, query=query)
    return None if answer is None else orjson.dumps(search_answer(answer, query), option=orjson.OPT_SERIALIZE_NUMPY)


def hit_fields(hit: Hit, include: Collection[str]) -> dict[str, Any]:
    return _with_fields({"id": hit.key, "distance": hit.distance}, hit.metadata, hit.vector, include)


def item_fields(found: Sequence[Any], include: Collection[str]) -> list[dict[str, Any]]:
    return [_with_fields({"id": row.key}, row.metadata, row.vector, include) for row in found]


def _with_fields(
    answer: dict[str, Any], metadata: str | None, vector: bytes | None, include: Collection[str]
) -> dict[str, Any]:
    if "metadata" in include:
        answer["metadata"] = None if metadata is None else orjson.Fragment(metadata)
    if "vector" in include and vector is not None:
        answer["vector"] = np.frombuffer(vector, "<f4")
    return answer
