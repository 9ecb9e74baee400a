"""What the first version of the service promised, over HTTP on a real server."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import numpy as np
import pytest

from tests.lakehouse_site.shapes import assert_problem

API = "/v1/vectors"


class Index:
    """One index of a server."""

    def __init__(self, client: httpx.Client, name: str, dimension: int = 3, distance: str = "euclidean") -> None:
        self.client, self.name, self.url = client, name, f"{API}/index/{name}"
        body = {"name": name, "dimension": dimension, "distance": distance}
        assert client.post(f"{API}/index", json=body).status_code == 201

    def call(self, what: str, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"{self.url}/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def add(self, *items: dict[str, Any]) -> dict[str, Any]:
        return self.call("add", items=items)

    def metadata(self, key: str) -> Any:
        return self.call("fetch", ids=[key])["items"][0]["metadata"]

    def found(self, **body: Any) -> list[str]:
        return [hit["id"] for hit in self.call("search", **body)["results"]]

    def keys(self) -> list[str]:
        return [item["id"] for item in self.client.get(f"{self.url}/items").json()["items"]]


@pytest.fixture
def index(shared_client: httpx.Client, index_name: str) -> Index:
    return Index(shared_client, index_name)


def random_items(count: int, dimension: int) -> list[dict[str, Any]]:
    vectors = np.random.default_rng(7).normal(size=(count, dimension))
    return [{"id": f"item-{i:04}", "vector": vectors[i].tolist(), "metadata": {"n": i}} for i in range(count)]


def test_200_vectors_come_back_as_they_were_sent(shared_client: httpx.Client, index_name: str) -> None:
    index = Index(shared_client, index_name, dimension=64, distance="cosine")
    items = random_items(200, 64)

    assert index.add(*items) == {"added": 200, "updated": 0, "count": 200, "seq": 200}
    fetched = index.call("fetch", ids=[item["id"] for item in items])

    assert fetched["missing"] == []
    for sent, stored in zip(items, fetched["items"], strict=True):
        assert (stored["id"], stored["metadata"]) == (sent["id"], sent["metadata"])
        assert np.array(stored["vector"], np.float32).tobytes() == np.array(sent["vector"], np.float32).tobytes()


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_every_inserted_vector_is_found_at_distance_0(
    shared_client: httpx.Client, index_name: str, distance: str
) -> None:
    index = Index(shared_client, index_name, dimension=16, distance=distance)
    items = random_items(200, 16)
    index.add(*items)

    results = index.call("search", vectors=[item["vector"] for item in items], k=1)["results"]

    assert [hits[0]["id"] for hits in results] == [item["id"] for item in items]
    assert all(abs(hits[0]["distance"]) < 1e-6 for hits in results)


def test_a_name_can_be_taken_once(shared_client: httpx.Client, index: Index) -> None:
    assert_problem(shared_client.post(f"{API}/index", json={"name": index.name, "dimension": 9}), 409, "index_exists")
    assert shared_client.get(index.url).json()["dimension"] == 3


def test_a_dropped_name_is_free_and_brings_nothing_back(shared_client: httpx.Client, index: Index) -> None:
    index.add({"id": "a", "vector": [1, 2, 3]})
    assert shared_client.delete(index.url).status_code == 204
    assert_problem(shared_client.delete(index.url), 404, "index_not_found")

    again = Index(shared_client, index.name, dimension=2)

    assert again.found(vector=[1, 2]) == []
    assert shared_client.get(index.url).json()["count"] == 0


@pytest.mark.parametrize("vector", [[1, 2], [1, 2, 3, 4], []])
def test_another_dimension_is_400_and_writes_nothing(
    shared_client: httpx.Client, index: Index, vector: list[int]
) -> None:
    items = [{"id": "good", "vector": [1, 2, 3]}, {"id": "bad", "vector": vector}]

    problem = assert_problem(shared_client.post(f"{index.url}/add", json={"items": items}), 400)
    assert_problem(shared_client.post(f"{index.url}/search", json={"vector": vector}), 400)

    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [("/items/1/vector", "dimension")]
    assert index.keys() == []


@pytest.mark.parametrize(
    ("call", "body"),
    [("add", {"items": []}), ("search", {"vector": [1]}), ("fetch", {"ids": []}), ("delete", {"ids": []}),
     ("merge", {"dest": "nobody-either"}), ("", None), ("items", None)],
)  # fmt: skip
def test_an_index_that_is_not_there_is_404(shared_client: httpx.Client, call: str, body: dict[str, Any] | None) -> None:
    url = f"{API}/index/nobody/{call}"
    answer = shared_client.get(url) if body is None else shared_client.post(url, json=body)

    assert_problem(answer, 404, "index_not_found")


def test_readding_without_metadata_keeps_it_and_an_empty_object_clears_it(index: Index) -> None:
    index.add({"id": "a", "vector": [1, 2, 3], "metadata": {"n": 1}})
    assert index.add({"id": "a", "vector": [3, 2, 1]})["updated"] == 1
    assert index.metadata("a") == {"n": 1}
    index.add({"id": "a", "vector": [3, 2, 1], "metadata": None})
    assert index.metadata("a") == {"n": 1}
    index.add({"id": "a", "vector": [3, 2, 1], "metadata": {}})
    assert index.metadata("a") == {}


def test_a_deleted_id_that_comes_back_has_no_metadata(index: Index) -> None:
    index.add({"id": "a", "vector": [1, 2, 3], "metadata": {"n": 1}})
    deleted = index.call("delete", ids=["a", "b", "a"])
    assert (deleted["deleted"], deleted["missing"]) == (1, ["b"])
    assert index.call("delete", ids=["a"])["missing"] == ["a"]

    index.add({"id": "a", "vector": [1, 2, 3]})

    assert index.metadata("a") is None


def test_of_a_repeated_id_the_last_vector_wins_and_no_items_are_no_change(index: Index) -> None:
    sent = [
        {"id": "a", "vector": [n, 0, 0], "metadata": metadata} for n, metadata in enumerate([{"n": 0}, {"n": 1}, None])
    ]

    assert index.add() == {"added": 0, "updated": 0, "count": 0, "seq": 0}
    assert index.add(*sent) | {"seq": 0} == {"added": 1, "updated": 2, "count": 1, "seq": 0}
    (item,) = index.call("fetch", ids=["a"])["items"]
    assert (item["vector"], item["metadata"]) == ([2, 0, 0], {"n": 1})


def test_a_merge_drains_its_source_is_idempotent_and_refuses_itself(shared_client: httpx.Client, index: Index) -> None:
    dest = Index(shared_client, index.name + "-dest")
    index.add(*({"id": key, "vector": [1, 2, 3], "metadata": {"from": "source"}} for key in "abc"))
    dest.add({"id": "c", "vector": [9, 9, 9], "metadata": {"from": "dest"}})

    planned = index.call("merge", dest=dest.name, clear_source=True, dry_run=True)
    first = index.call("merge", dest=dest.name, clear_source=True)
    second = index.call("merge", dest=dest.name, clear_source=True)

    assert (planned["added"], planned["skipped"], planned["source_count"], planned["dest_count"]) == (2, 1, 3, 1)
    assert (first["added"], first["skipped"], first["deleted"], first["source_count"], first["dest_count"]) == (
        2,
        1,
        2,
        1,
        3,
    )
    assert (second["added"], second["skipped"], second["source_count"], second["dest_count"]) == (0, 1, 1, 3)
    assert (index.keys(), dest.keys()) == (["c"], ["a", "b", "c"])
    assert (dest.metadata("a"), dest.metadata("c")) == ({"from": "source"}, {"from": "dest"})
    conflict = shared_client.post(f"{index.url}/merge", json={"dest": dest.name, "on_conflict": "error"})
    assert_problem(conflict, 409, "merge_conflict")
    assert index.call("merge", dest=dest.name, on_conflict="overwrite")["overwritten"] == 1
    assert dest.metadata("c") == {"from": "source"}
    assert_problem(shared_client.post(f"{index.url}/merge", json={"dest": index.name}), 400)


@pytest.mark.parametrize(("dimension", "distance"), [(4, "euclidean"), (3, "dot")])
def test_indexes_that_differ_are_not_merged(
    shared_client: httpx.Client, index: Index, dimension: int, distance: str
) -> None:
    other = Index(shared_client, index.name + "-other", dimension=dimension, distance=distance)

    assert_problem(shared_client.post(f"{index.url}/merge", json={"dest": other.name}), 400)
    body = {"indexes": [index.name, other.name], "vector": [1, 2, 3]}
    assert_problem(shared_client.post(f"{API}/search", json=body), 400)


def test_ties_are_ordered_by_id(index: Index) -> None:
    keys = ["b", "a", "Z", "é", "e\u0301", "\U0001f600", "\uffee", "10", "9"]
    index.add(*({"id": key, "vector": [0, 0, i % 2 * 2 - 1]} for i, key in enumerate(keys)))

    assert index.found(vector=[5, 5, 0]) == sorted(keys)
    assert index.found(vector=[5, 5, 0], k=3) == sorted(keys)[:3]
    assert index.keys() == sorted(keys)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [("euclidean", {"x": 0.0, "y": 5.0, "z": 10.0}), ("dot", {"x": -25.0, "y": 0.0, "z": 25.0}),
     ("cosine", {"x": 0.0, "y": 1.0, "z": 2.0})],
)  # fmt: skip
def test_the_three_distances(
    shared_client: httpx.Client, index_name: str, distance: str, expected: dict[str, float]
) -> None:
    index = Index(shared_client, index_name, dimension=2, distance=distance)
    index.add({"id": "x", "vector": [3, 4]}, {"id": "z", "vector": [-3, -4]})
    index.add({"id": "y", "vector": [0, 0] if distance == "euclidean" else [-4, 3]})

    hits = index.call("search", vector=[3, 4])["results"]

    assert {hit["id"]: hit["distance"] for hit in hits} == pytest.approx(expected)
    assert [hit["id"] for hit in hits] == ["x", "y", "z"]


def test_options_of_a_search(shared_client: httpx.Client, index: Index) -> None:
    index.add(*({"id": f"{n}", "vector": [n, 0, 0], "metadata": {"n": n}} for n in range(4)))

    assert index.found(id="1", k=2) == ["0", "2"]
    assert index.found(vector=[0, 0, 0], max_distance=2) == ["0", "1", "2"]
    assert index.found(vector=[0, 0, 0], max_distance=-1) == []
    packed = base64.b64encode(np.array([3, 0, 0], "<f4").tobytes()).decode()
    assert index.found(vector_b64=packed, k=1, exact=True) == ["3"]
    index.add({"id": "packed", "vector_b64": packed})
    (stored,) = index.call("fetch", ids=["packed"], include=["vector"])["items"]
    assert stored == {"id": "packed", "vector": [3, 0, 0]}
    (hit,) = index.call("search", vector=[0, 0, 0], k=1, include=[])["results"]
    assert hit == {"id": "0", "distance": 0.0}
    (hit,) = index.call("search", vector=[0, 0, 0], k=1, include=["vector", "metadata"])["results"]
    assert hit == {"id": "0", "distance": 0.0, "vector": [0, 0, 0], "metadata": {"n": 0}}


def test_a_search_over_several_indexes_is_merged_by_distance(shared_client: httpx.Client, index: Index) -> None:
    other = Index(shared_client, index.name + "-other")
    index.add({"id": "a", "vector": [1, 0, 0]}, {"id": "c", "vector": [3, 0, 0]})
    other.add({"id": "b", "vector": [2, 0, 0]}, {"id": "a", "vector": [1, 0, 0]})

    body = {"indexes": [other.name, index.name], "vector": [0, 0, 0], "k": 3}
    hits = shared_client.post(f"{API}/search", json=body).json()["results"]

    found = [(hit["index"], hit["id"], hit["distance"]) for hit in hits]
    assert found == [(index.name, "a", 1.0), (other.name, "a", 1.0), (other.name, "b", 2.0)]


def test_info_and_listing_tell_the_same(shared_client: httpx.Client, index: Index) -> None:
    index.add({"id": "a", "vector": [1, 2, 3]})

    info = shared_client.get(index.url).json()
    listing = shared_client.get(f"{API}/index", params={"limit": 1000}).json()

    assert {key: info[key] for key in info if not key.endswith("_at")} == {
        "name": index.name, "dimension": 3, "distance": "euclidean", "m": 16, "ef_construction": 200, "ef_search": 64,
        "count": 1, "seq": 1, "snapshot": None, "recall": None, "warnings": [],
    }  # fmt: skip
    assert set(listing) == {"count", "next", "previous", "results"}
    assert info in listing["results"]
    assert info["created_at"] < info["updated_at"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_paths_work_with_and_without_a_slash_at_the_end(
    shared_client: httpx.Client, index_name: str, slash: str
) -> None:
    url = f"{API}/index/{index_name}"
    body = {"name": index_name, "dimension": 2}
    assert shared_client.post(f"{API}/index{slash}", json=body).status_code == 201
    posts: list[tuple[str, dict[str, Any]]] = [
        (f"{url}/add", {"items": [{"id": "a", "vector": [1, 2]}]}),
        (f"{url}/search", {"vector": [1, 2]}),
        (f"{url}/fetch", {"ids": ["a"]}),
        (f"{url}/delete", {"ids": ["a"]}),
        (f"{API}/search", {"indexes": [index_name], "vector": [1, 2]}),
    ]
    assert [shared_client.post(path + slash, json=json).status_code for path, json in posts] == [200] * len(posts)
    assert [shared_client.get(path + slash).status_code for path in (f"{API}/index", url, f"{url}/items")] == [200] * 3
    assert shared_client.delete(url + slash).status_code == 204
