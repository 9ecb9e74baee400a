"""Long work on an index as a task: what is shown of it, who sees it, and what becomes of it when things go wrong."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from lakehouse_site.tasks import carrying_out, worker
from lakehouse_site.tasks.carrying_out import carry_out, claim, has_work, prune, recover
from lakehouse_site.tasks.enqueue import address_of
from lakehouse_site.tasks.looking import state_of
from lakehouse_site.tasks.models import TaskRecord, TaskWorker
from lakehouse_site.tasks.progress import progress
from tests.factories import add_rows, make_index, random_rows
from tests.task_queue import fail_unexpectedly, make_task, make_worker, work_off
from tests.vectors.admin_pages import address, get, staff_with, text_of
from vectors.indexes import drop_index, index_state
from vectors.models import Snapshot

pytestmark = pytest.mark.usefixtures("vectors_db", "storage")
NO_ONE = 2**22 + 1
"""A process number that no Linux gives."""


def again(record: TaskRecord) -> TaskRecord:
    return TaskRecord.objects.select_related("result").get(pk=record.pk)


def begin(record: TaskRecord, worker_id: str) -> DBTaskResult[..., Any]:
    found = claim(worker_id)
    assert found is not None
    assert found.pk == record.pk
    return found


def test_a_task_waits_then_runs_then_is_done_and_its_page_looks_again_until_then(boss: Client) -> None:
    make_worker()
    record = make_task(make_index())

    waiting = get(boss, address_of(record))
    found = begin(record, "living")
    TaskRecord.objects.update(stage="items looked at", done=3_000, total=9_000)
    running = get(boss, address_of(record))
    carry_out(found, "living")
    done = get(boss, address_of(record))

    assert text_of(waiting).count("Waiting") == 1
    assert 'http-equiv="refresh"' in waiting
    assert "Running : items looked at" in text_of(running)
    assert '<progress value="3000" max="9000">' in running
    assert 'http-equiv="refresh"' in running
    assert "Done : The file is there." in text_of(done)
    assert "Started by somebody" in text_of(done)
    assert "refresh" not in done
    assert address("change") in done
    assert "No worker" not in waiting + running + done


def test_without_a_worker_the_page_says_what_to_type(boss: Client) -> None:
    record = make_task(make_index())
    make_worker("killed here", pid=NO_ONE)
    make_worker("silent", host="elsewhere", seen_at=timezone.now() - timedelta(minutes=2))

    alone = get(boss, address_of(record))
    make_worker("alive", host="elsewhere", pid=NO_ONE)

    assert "type `manage.py worker`" in alone
    assert "No worker" not in get(boss, address_of(record))


def test_a_task_is_shown_to_whoever_may_view_the_index_and_to_nobody_else() -> None:
    record = make_task(make_index())

    for client in (staff_with("view"), staff_with("change")):
        assert "Wait for docs" in get(client, address_of(record))
        assert "Wait for docs" in get(client, "/admin/tasks/taskrecord/")
    stranger = staff_with()
    assert stranger.get(address_of(record)).status_code == 302
    assert "Wait for docs" not in get(stranger, "/admin/tasks/taskrecord/")


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_task_whose_index_was_dropped_fails_in_words(boss: Client, is_replaced: bool) -> None:
    add_rows(make_index().name, random_rows(5, 3))
    make_index("fresh")
    pages = [boss.post(address("snapshot"))["Location"]]
    pages.append(boss.post(address("merge", "fresh"), {"dest": "docs", "step": "merge"})["Location"])
    drop_index(name="docs")
    if is_replaced:
        make_index()

    assert work_off() == 2

    for page in pages:
        assert "Failed : The index docs was dropped before this was begun. Nothing was changed." in text_of(
            get(boss, page)
        )
    assert not Snapshot.objects.exists()


def test_an_error_nobody_expected_is_told_without_what_it_quotes(boss: Client) -> None:
    record = make_task(make_index(), task=fail_unexpectedly)

    work_off()

    html = get(boss, address_of(record))
    assert "Failed : It failed: RuntimeError. The worker&#x27;s log says more." in text_of(html)
    assert "hunter2" not in html
    assert "hunter2" not in str(DBTaskResult.objects.values().get())


def test_of_many_workers_each_task_is_taken_by_one() -> None:
    index = make_index()
    records = [make_task(index) for _ in range(6)]
    taken: list[Any] = []
    begin_together = threading.Barrier(4)

    def take(worker_id: str) -> None:
        begin_together.wait(60)
        while (found := claim(worker_id)) is not None:
            taken.append(found.pk)
        connection.close()

    threads = [threading.Thread(target=take, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(taken) == sorted(record.pk for record in records)


def test_looking_for_work_only_reads() -> None:
    with CaptureQueriesContext(connection) as captured:
        assert not has_work()

    (query,) = captured.captured_queries
    assert query["sql"].startswith("SELECT")


def test_the_task_of_a_worker_that_was_killed_is_run_once_more_and_then_given_up(boss: Client) -> None:
    record = make_task(make_index())
    begin(record, "first")
    first = recover()
    queued = again(record)
    begin(record, "second")
    make_worker("second", host="elsewhere")
    while_it_lives = recover()
    TaskWorker.objects.all().delete()
    second = recover()

    assert (first, while_it_lives, second) == (1, 0, 1)
    assert (state_of(queued), queued.worker) == ("waiting", "")
    assert "Failed : The worker ended before it was done. Start it again" in text_of(get(boss, address_of(record)))
    assert recover() == 0


def test_what_must_not_simply_be_repeated_fails_at_once() -> None:
    record = make_task(make_index(), may_repeat=False)
    begin(record, "first")

    recover()

    assert state_of(again(record)) == "failed"


def test_a_merge_that_asks_to_be_told_of_conflicts_is_not_repeated(boss: Client) -> None:
    make_index()
    make_index("fresh")
    for how in ("error", "skip", "overwrite"):
        boss.post(address("merge", "fresh"), {"dest": "docs", "step": "merge", "on_conflict": how})

    assert [record.may_repeat for record in TaskRecord.objects.order_by("result__enqueued_at")] == [False, True, True]


def test_a_worker_that_was_thought_dead_does_not_overwrite_what_the_next_one_does() -> None:
    record = make_task(make_index())
    found = begin(record, "first")
    recover()
    begin(record, "second")

    carry_out(found, "first")

    assert (state_of(again(record)), again(record).said) == ("running", "")


def test_a_worker_that_ends_puts_its_task_back_where_nothing_is_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    add_rows(make_index("fresh").name, random_rows(10, 3))
    monkeypatch.setattr(progress, "must_stop", lambda: True)
    record = make_task(make_index(), args_kwargs={"args": [], "kwargs": {"path": "/nowhere"}})

    carry_out(begin(record, "first"), "first")

    put_back = again(record)
    assert (state_of(put_back), put_back.worker, put_back.result.worker_ids) == ("waiting", "", [])


def test_what_was_finished_long_ago_is_deleted() -> None:
    index = make_index()
    now = timezone.now()
    old = make_task(index, status="SUCCESSFUL", finished_at=now - carrying_out.KEEP)
    kept = [
        make_task(index, status="FAILED", finished_at=now - timedelta(days=1)),
        make_task(index, status="RUNNING"),
        make_task(index),
    ]
    make_worker(seen_at=now - timedelta(days=2))

    assert prune() == 1
    assert prune() == 0

    assert not DBTaskResult.objects.filter(pk=old.pk).exists()
    assert set(TaskRecord.objects.values_list("pk", flat=True)) == {record.pk for record in kept}
    assert not TaskWorker.objects.exists()


def test_a_new_worker_with_the_number_of_a_dead_one_takes_its_place() -> None:
    record = make_task(make_index())
    make_worker("dead")
    begin(record, "dead")
    before = recover()

    worker.Worker()._register()

    assert (before, recover()) == (0, 1)


def test_tasks_let_go_of_the_memory_they_used(boss: Client) -> None:
    from vectors.replicas import replicas

    add_rows(make_index().name, random_rows(30, 3))
    index_state(name="docs")
    for page in ("snapshot", "rebuild", "recall"):
        boss.post(address(page))

    assert work_off() == 3

    assert len(replicas) == 0
    assert {record.said.partition(" ")[0] for record in TaskRecord.objects.all()} == {"A", "The", "Searches"}
