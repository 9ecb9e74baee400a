from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError

from catalog.models import Commit, IdempotencyKey, Namespace, Relation
from catalog.recorded import LIFETIME
from lakehouse_site.access.services import create_token
from tests.catalog.protocol_client import SCHEMA, Protocol, new_key, set_properties


def test_a_request_that_is_sent_twice_is_done_once(protocol: Protocol) -> None:
    protocol.create()
    key = new_key()

    first = protocol.commit("t", set_properties(a="1"), **key)
    protocol.commit("t", set_properties(a="2"))
    again = protocol.commit("t", set_properties(a="1"), **key)

    assert (again.status, again.body) == (200, first.body)
    assert protocol.load().body["metadata"]["properties"]["a"] == "2"
    assert Commit.objects.count() == 3


def test_every_kind_of_write_is_answered_again(protocol: Protocol) -> None:
    rename = {"source": {"namespace": ["n"], "name": "t"}, "destination": {"namespace": ["n"], "name": "u"}}
    change = {"identifier": {"namespace": ["n"], "name": "u"}, "updates": [set_properties(a="1")]}
    calls = [
        ("POST", "namespaces", {"namespace": ["n"]}),
        ("POST", "namespaces/n/properties", {"updates": {"a": "1"}}),
        ("POST", "namespaces/n/tables", {"name": "t", "schema": SCHEMA}),
        ("POST", "tables/rename", rename),
        ("POST", "transactions/commit", {"table-changes": [change]}),
        ("DELETE", "namespaces/n/tables/u", None),
        ("DELETE", "namespaces/n", None),
    ]
    for method, path, body in calls:
        key = new_key()["HTTP_IDEMPOTENCY_KEY"]
        first = protocol.call(method, path, body, HTTP_IDEMPOTENCY_KEY=key)
        again = protocol.call(method, path, body, HTTP_IDEMPOTENCY_KEY=key)

        assert first.status in (200, 204), path
        assert (again.status, again.content) == (first.status, first.content), path
    assert IdempotencyKey.objects.count() == len(calls)


def test_a_final_refusal_is_answered_again(protocol: Protocol) -> None:
    key = new_key()
    first = protocol.commit("t", set_properties(a="1"), **key)
    assert first.error == (404, "NoSuchTableException")

    protocol.create()

    again = protocol.commit("t", set_properties(a="1"), **key)
    assert again.error == (404, "NoSuchTableException")
    assert again.message == first.message


def test_a_key_belongs_to_one_request(protocol: Protocol) -> None:
    protocol.create()
    key = new_key()
    assert protocol.commit("t", set_properties(a="1"), **key).status == 200

    assert protocol.commit("t", set_properties(a="2"), **key).error == (422, "UnprocessableEntityException")
    assert protocol.commit("u", set_properties(a="1"), **key).error == (422, "UnprocessableEntityException")
    assert protocol.load().body["metadata"]["properties"]["a"] == "1"
    for bad in ("", "x" * 129, "a\tb"):
        assert protocol.commit("t", HTTP_IDEMPOTENCY_KEY=bad).error == (400, "BadRequestException")


def test_a_key_belongs_to_one_caller(protocol: Protocol) -> None:
    one, two = (Protocol(create_token(name=name, scope="write").token) for name in ("one", "two"))
    key = new_key()

    assert one.create("t").status == 200
    assert one.commit("t", set_properties(a="1"), **key).status == 200
    assert two.commit("t", set_properties(a="2"), **key).status == 200


def test_a_failure_of_ours_is_not_kept(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol.create()
    key = new_key()
    with monkeypatch.context() as patch:
        patch.setattr("catalog.relation_writes._write_row", _fail)
        assert protocol.commit("t", set_properties(a="1"), **key).error[0] == 503
    assert not IdempotencyKey.objects.exists()

    assert protocol.commit("t", set_properties(a="1"), **key).status == 200


def _fail(*arguments: object) -> None:
    raise OperationalError("the database is away")


def test_keys_are_forgotten_in_time(protocol: Protocol) -> None:
    key = new_key()
    protocol.post("namespaces", {"namespace": ["a"]}, **key)
    row = IdempotencyKey.objects.get()
    IdempotencyKey.objects.update(created_at=row.created_at - LIFETIME - timedelta(seconds=1))

    assert protocol.post("namespaces", {"namespace": ["a"]}, **key).error == (409, "AlreadyExistsException")
    assert Namespace.objects.filter(path="a").count() == 1
    assert not Relation.objects.exists()
