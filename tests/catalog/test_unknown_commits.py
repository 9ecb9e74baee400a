"""The database fails at every point of a commit: what was acknowledged is there, and no row names a missing file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, transaction

from catalog import recorded, relation_writes
from catalog.models import Commit, Relation
from lakehouse_site.errors import DatabaseUnavailable
from tests.catalog.protocol_client import SCHEMA, Protocol, set_properties


def _files() -> list[str]:
    place = Relation.objects.get(name="t").location.removeprefix("file://")
    return sorted(path.name for path in Path(place, "metadata").iterdir())


def _after_the_commit(work: Callable[[], Any], **options: Any) -> Any:
    with transaction.atomic():
        work()
    raise DatabaseUnavailable("The connection was lost.")


def _instead_of_the_commit(work: Callable[[], Any], **options: Any) -> Any:
    with transaction.atomic():
        work()
        transaction.set_rollback(True)
    raise DatabaseUnavailable("The connection was lost.")


def _before_the_work(work: Callable[[], Any], **options: Any) -> Any:
    raise OperationalError("the database is away")


def test_a_commit_that_stands_is_a_success_even_if_the_connection_was_lost(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol.create()
    monkeypatch.setattr(relation_writes, "write", _after_the_commit)

    answer = protocol.commit("t", set_properties(a="1"))

    assert answer.status == 200
    assert answer.body["metadata-location"] == Relation.objects.get().metadata_location
    assert protocol.post("namespaces/ns/tables", {"name": "u", "schema": SCHEMA}).status == 200
    assert protocol.load("u").status == 200


def test_a_commit_of_which_nothing_is_known_deletes_nothing(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol.create()
    with monkeypatch.context() as patch:
        patch.setattr(relation_writes, "write", _instead_of_the_commit)
        answer = protocol.commit("t", set_properties(a="1"))

    assert answer.error == (500, "CommitStateUnknownException")
    assert len(_files()) == 2
    assert protocol.load().status == 200
    assert protocol.commit("t", set_properties(a="1")).status == 200


def test_a_commit_that_certainly_did_not_happen_leaves_no_file(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol.create()
    with monkeypatch.context() as patch:
        patch.setattr(relation_writes, "write", _before_the_work)
        answer = protocol.commit("t", set_properties(a="1"))

    assert answer.error == (503, "ServiceUnavailableException")
    assert len(_files()) == 1


def test_a_commit_that_is_overtaken_is_tried_again_on_what_then_stands(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol.create()
    real, other = recorded.write, [set_properties(b="2")]

    def overtake(work: Callable[[], Any], **options: Any) -> Any:
        if other:
            update = other.pop()
            assert protocol.commit("t", update).status == 200
        return real(work, **options)

    monkeypatch.setattr(relation_writes, "write", overtake)

    answer = protocol.commit("t", set_properties(a="1"))

    assert answer.status == 200
    properties = answer.body["metadata"]["properties"]
    assert (properties["a"], properties["b"]) == ("1", "2")
    assert [one.version for one in Commit.objects.order_by("version")] == [0, 1, 2]
    assert len(_files()) == 3


def test_a_commit_that_is_always_overtaken_is_a_409(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol.create()

    def overtaken(work: Callable[[], Any], **options: Any) -> Any:
        raise relation_writes.Overtaken

    with monkeypatch.context() as patch:
        patch.setattr(relation_writes, "write", overtaken)
        assert protocol.commit("t", set_properties(a="1")).error == (409, "CommitFailedException")
    assert len(_files()) == 1
    assert protocol.load().status == 200


def test_of_two_that_make_the_same_table_one_is_told_so(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    real, other = recorded.write, ["once"]

    def overtake(work: Callable[[], Any], **options: Any) -> Any:
        if other:
            other.pop()
            assert protocol.create().status == 200
        return real(work, **options)

    monkeypatch.setattr(relation_writes, "write", overtake)

    assert protocol.create().error == (409, "AlreadyExistsException")
    assert Relation.objects.count() == 1


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_on_a_full_disk_a_commit_changes_nothing_and_leaves_nothing(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    protocol.create()

    def full(descriptor: int, *data: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if call == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            real = os.fdopen
            patch.setattr(os, "fdopen", lambda *args: real(os.open("/dev/full", os.O_WRONLY), "wb"))
        answer = protocol.commit("t", set_properties(a="1"))

    assert answer.error == (500, "InternalServerError")
    assert len(_files()) == 1
    assert protocol.commit("t", set_properties(a="1")).status == 200
