from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction

from lakehouse_site.errors import IndexNotFound
from tests.factories import add, add_rows, delete, make_index, random_rows
from vectors import contents, indexes

pytestmark = pytest.mark.usefixtures("vectors_db")


def elsewhere(work: Any) -> None:
    """Run something on a connection of its own, as another process would."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  it is raised again below
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "a reader keeps writers waiting"
    if errors:
        raise errors[0]


def keys_and_labels(state: Any) -> tuple[list[str], list[int]]:
    found = list(contents.pages(state))
    return [key for page in found for key in page.keys], [label for page in found for label in page.labels.tolist()]


def test_one_moment_is_read_while_others_write() -> None:
    make_index(dimension=4)
    keys = add_rows("docs", random_rows(300, 4))
    state = indexes.index_state(name="docs")

    def write() -> None:
        delete("docs", *keys[100:200])
        add("docs", [{"id": keys[0], "vector": [1, 0, 0, 0]}, {"id": "new", "vector": [1, 0, 0, 0]}])

    with contents.one_moment(state) as now:
        pages = contents.pages(now)
        first = next(pages)
        elsewhere(write)
        read = [*first.keys, *(key for page in pages for key in page.keys)]

    assert now.last_seq == 300
    assert read == keys
    assert len(keys_and_labels(state)[0]) == 201


def test_the_state_of_the_moment_is_told_and_not_the_older_one() -> None:
    make_index()
    state = indexes.index_state(name="docs")
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])

    with contents.one_moment(state) as now:
        assert (now.last_seq, now.live_count) == (1, 1)
        assert contents.describe(now).applied_seq == 1


def test_pages_have_all_items_in_the_order_of_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "PAGE_BYTES", 1)  # 64 items a page
    make_index(dimension=4)
    data = random_rows(200, 4)
    keys = add_rows("docs", data)
    add("docs", [{"id": keys[3], "vector": data[4].tolist(), "metadata": {"n": 1}}])
    delete("docs", keys[5])

    pages = list(contents.pages(indexes.index_state(name="docs")))

    assert [len(page.keys) for page in pages] == [64, 64, 64, 7]
    labels = np.concatenate([page.labels for page in pages])
    assert (np.diff(labels) > 0).all()
    assert pages[-1].keys[-1] == keys[3]
    assert pages[-1].metadata[-1] == '{"n":1}'
    assert pages[-1].vectors[-16:] == data[4].tobytes()
    assert [key for page in contents.pages(indexes.index_state(name="docs"), after_label=200) for key in page.keys] == [
        keys[3]
    ]


def test_an_index_that_was_dropped_or_replaced_is_not_found() -> None:
    state = make_index()
    indexes.drop_index(name="docs")
    with pytest.raises(IndexNotFound), contents.one_moment(state):
        pass

    make_index()

    with pytest.raises(IndexNotFound), contents.one_moment(state):
        pass


def test_nothing_is_read_inside_a_transaction() -> None:
    state = make_index()

    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"), contents.one_moment(state):
        pass


def test_the_moment_ends_with_an_error_and_writes_go_on() -> None:
    state = make_index()

    with pytest.raises(ZeroDivisionError), contents.one_moment(state):
        raise ZeroDivisionError

    add("docs", [{"id": "a", "vector": [1, 0, 0]}])
    with contents.one_moment(state) as now:
        assert now.live_count == 1
