"""Bodies that look hostile and are not: what the API accepts on purpose comes back unchanged."""

from __future__ import annotations

import json

import httpx
import numpy as np
import pytest

from tests.e2e.test_hostile import API, send

ODD_METADATA = {
    "nul": '{"a\\u0000b": "\\u0000"}',
    "pair": '{"a": "\\ud83d\\ude00"}',
    "2**64": '{"a": 18446744073709551616}',
    "-2**63-1": '{"a": -9223372036854775809}',
    "100-digits": '{"a": [' + "7" * 100 + ", -" + "7" * 100 + "]}",
    "2**64-beside-1e300": '{"a": 18446744073709551616, "b": 1e300, "c": 1e19}',
    "small-floats": '{"a": [0.1, 5e-324, -0.0, 1.7976931348623157e308]}',
    "deep": '{"a":' * 254 + "1" + "}" * 254,
    "deep-2**64": '{"a":' * 254 + "18446744073709551616" + "}" * 254,
    "duplicate-keys": '{"a": 1, "a": 2}',
    "empty-key": '{"": {"": [[], {}, ""]}}',
    "html": '{"a": "</script>\\u2028\\u007f"}',
}


@pytest.mark.parametrize("text", ODD_METADATA.values(), ids=ODD_METADATA)
def test_odd_metadata_come_back_unchanged(shared_client: httpx.Client, index_name: str, text: str) -> None:
    shared_client.post(f"{API}/index", json={"name": index_name, "dimension": 3})
    body = f'{{"items": [{{"id": "new", "vector": [1, 2, 3], "metadata": {text}}}]}}'.encode()

    assert send(shared_client, "add", index_name, body).status_code == 200
    fetched = send(shared_client, "fetch", index_name, b'{"ids": ["new"]}')
    listed = shared_client.get(f"{API}/index/{index_name}/items")
    found = send(shared_client, "search", index_name, b'{"vector": [1, 2, 3]}')

    expected = json.loads(text)
    for items in (fetched.json()["items"], listed.json()["items"], found.json()["results"]):
        assert repr(items[0]["metadata"]) == repr(expected)


def test_of_duplicate_keys_the_last_one_counts(shared_client: httpx.Client, index_name: str) -> None:
    shared_client.post(f"{API}/index", json={"name": index_name, "dimension": 3})
    body = {"items": [{"id": "kept", "vector": [1, 2, 3]}, {"id": "other", "vector": [3, 2, 1]}]}
    shared_client.post(f"{API}/index/{index_name}/add", json=body)

    found = send(shared_client, "search", index_name, b'{"vector": [true], "k": 0, "vector": [1, 2, 3], "k": 1}')

    assert [hit["id"] for hit in found.json()["results"]] == ["kept"]


def test_numbers_at_the_edge_of_float32_are_kept(shared_client: httpx.Client, index_name: str) -> None:
    shared_client.post(f"{API}/index", json={"name": index_name, "dimension": 3, "distance": "euclidean"})
    vector = [3.4028234e38, -1e-45, 123456789012345678901234567890]
    body = {"items": [{"id": "edge", "vector": vector}]}

    assert shared_client.post(f"{API}/index/{index_name}/add", json=body).status_code == 200
    listed = shared_client.get(f"{API}/index/{index_name}/items?include=vector").json()["items"]

    assert np.array(listed[0]["vector"], np.float32).tolist() == np.array(vector, np.float32).tolist()
