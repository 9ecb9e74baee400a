from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from lakehouse_site.access import selectors
from tests.factories import add, found_keys, make_index
from tests.lakehouse_site.shapes import assert_problem
from vectors.replicas import replicas

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "a-token-that-is-long-enough-for-a-test"


@pytest.fixture(autouse=True)
def _nothing_in_memory() -> Iterator[None]:
    yield
    replicas.stop()


def value_of(text: str, name: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
@pytest.mark.parametrize(
    "accept", ["*/*", "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "application/openmetrics-text", ""]
)
def test_metrics_are_served_as_prometheus_reads_them(path: str, accept: str) -> None:
    answer = Client().get(path, headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    text = answer.content.decode()
    for name in ('snapshots_total{outcome="failed"}', 'graph_loads_total{source="snapshot"}', "memory_bytes"):
        assert f"\nlakehouse_vectors_{name} " in text


def test_indexes_in_memory_are_counted() -> None:
    before = Client().get("/metrics").content.decode()
    assert value_of(before, "lakehouse_vectors_loaded_indexes") == 0
    make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])
    assert found_keys("docs", [1, 0, 0]) == ["a"]

    after = Client().get("/metrics").content.decode()

    assert value_of(after, "lakehouse_vectors_loaded_indexes") == 1
    assert value_of(after, "lakehouse_vectors_memory_bytes") > 0
    loads = 'lakehouse_vectors_graph_loads_total{source="rows"}'
    assert value_of(after, loads) == value_of(before, loads) + 1


def test_metrics_are_only_read() -> None:
    assert_problem(Client().post("/metrics"), 405, "method_not_allowed")


def test_metrics_are_behind_the_token(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = TOKEN
    selectors.forget()

    assert_problem(Client().get("/metrics"), 401)
    assert Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
