"""The worker as a process: beside a server, killed, ended, alone. (The queue itself: tests/vectors/test_tasks.py)"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from tests.conftest import MakeServer
from tests.processes import Server, end_group, start_manage

WAIT_SECONDS = 90
PREPARE = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from tests.factories import add_rows, make_index, random_rows
index = make_index()
add_rows("docs", random_rows(50, 3))
user = User.objects.create_user("boss", is_staff=True, is_superuser=True)
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session.save()
print(json.dumps([session.session_key, str(index.id)]))
"""
COUNT = "SELECT count(*) FROM tasks_taskworker WHERE pid != ?"
QUEUE = """
from tests.factories import make_index
from tests.task_queue import make_task
record = make_task(make_index(), args_kwargs={{"args": [], "kwargs": {{"path": {path!r}}}}})
print(record.pk.hex)
"""


def wait_for(what: str, look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} in {WAIT_SECONDS} s")
        time.sleep(0.05)
    return found


def shell(server: Server, code: str) -> str:
    """Run a script on the data of a server and return the last line it prints."""
    return server.manage("shell", "--no-imports", "-c", code).stdout.splitlines()[-1]


def row(server: Server, query: str, *values: object) -> tuple[Any, ...] | None:
    """Read from the database without Django."""
    connection = sqlite3.connect(f"file:{server.data_dir}/lakehouse.sqlite3?mode=ro", uri=True, timeout=30)
    try:
        found: tuple[Any, ...] | None = connection.execute(query, values).fetchone()
    finally:
        connection.close()
    return found


def worker_of(server: Server, other_than: int = 0) -> int:
    """Return the process number of the worker, when there is one."""
    found = wait_for("worker", lambda: row(server, "SELECT pid FROM tasks_taskworker WHERE pid != ?", other_than))
    return int(found[0])


def task(server: Server, key: str) -> tuple[str, list[str], str]:
    """Return the state of a task, the workers that have begun it, and what it said."""
    found = row(
        server,
        "SELECT status, worker_ids, said FROM django_tasks_database_dbtaskresult JOIN tasks_taskrecord"
        " ON result_id = id WHERE id = ?",
        key,
    )
    assert found is not None
    return found[0], json.loads(found[1]), found[2]


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; an orphan may wait to be reaped by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.slow
def test_what_is_asked_for_in_the_admin_is_done_by_the_worker_which_goes_when_the_server_is_killed(
    make_server: MakeServer, make_http: Callable[..., httpx.Client]
) -> None:
    server = make_server(LAKEHOUSE_WORKER="1")
    session, index_id = json.loads(shell(server, PREPARE))
    http = make_http(server, cookies={"sessionid": session, "csrftoken": "c" * 32})
    form = {"csrfmiddlewaretoken": "c" * 32}

    queued = http.post(f"/admin/vectors/vectorindex/{index_id}/snapshot/", data=form)
    page = queued.headers["Location"]
    wait_for("end of the task", lambda: 'http-equiv="refresh"' not in http.get(page).text)
    html = http.get(page).text

    assert queued.status_code == 302
    assert "A snapshot of docs was taken" in re.sub(r"<[^>]+>", "", html)
    assert row(server, "SELECT status FROM vectors_snapshot") == ("verified",)
    pid = worker_of(server)
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)  # the server alone
    wait_for("end of the worker", lambda: is_gone(pid))
    assert "Traceback" not in server.log()


@pytest.mark.slow
def test_a_killed_worker_is_replaced_a_server_that_ends_puts_its_task_back_and_a_worker_alone_does_it(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server, file = make_server(LAKEHOUSE_WORKER="1"), tmp_path / "now"
    key = shell(server, QUEUE.format(path=str(file)))
    first = worker_of(server)
    wait_for("begin", lambda: task(server, key)[0] == "RUNNING")

    os.kill(first, signal.SIGKILL)
    second = worker_of(server, other_than=first)
    wait_for("second begin", lambda: task(server, key)[0] == "RUNNING" and len(task(server, key)[1]) == 2)
    status = server.stop()
    put_back, is_second_gone, workers = task(server, key), is_gone(second), row(server, COUNT, first)
    file.touch()
    alone = start_manage("worker", environment=server.environment, log_path=tmp_path / "worker.log")
    try:
        wait_for("success", lambda: task(server, key)[0] == "SUCCESSFUL")
        end_group(alone, signal.SIGINT)
    finally:
        end_group(alone, signal.SIGKILL)

    assert (status, is_second_gone, workers) == (0, True, (0,))
    assert (put_back[0], len(put_back[1])) == ("READY", 1)
    assert task(server, key)[2] == "The file is there."
    assert (alone.returncode, row(server, COUNT, first)) == (0, (0,))


@pytest.mark.django_db
def test_a_worker_does_not_start_on_a_database_that_is_not_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse_site.management.commands.worker.unapplied_migrations", lambda: ["tasks.0001_tasks"])

    with pytest.raises(CommandError, match=r"Run `manage.py migrate` first\."):
        call_command("worker")
