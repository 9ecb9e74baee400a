"""`manage.py serve`: the service under granian, one process."""

from __future__ import annotations

import argparse
import atexit
import errno
import multiprocessing
import multiprocessing.connection
import multiprocessing.util
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from lakehouse_site.access import gate
from lakehouse_site.checks import bind_errors
from lakehouse_site.environment import parse_bind
from lakehouse_site.health import unapplied_migrations
from lakehouse_site.tasks.child import WorkerChild

TARGET = "lakehouse_site.wsgi:application"
DEFAULT_THREADS = 4
# What a worker may still take for the requests it has begun; then it is killed, which no acknowledged write minds.
WORKER_STOP_SECONDS = 10


class Command(BaseCommand):
    help = "Serve the HTTP API and the admin."
    # The gate below checks the address that is really used, which --bind may change.
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--bind", default=settings.LAKEHOUSE_BIND, metavar="HOST:PORT", help="Where to listen (%(default)s)."
        )
        parser.add_argument(
            "--threads",
            type=_thread_count,
            default=DEFAULT_THREADS,
            help="How many requests are worked on at once (%(default)s).",
        )
        parser.add_argument("--access-log", action="store_true", help="Log every request (some 30 µs each).")
        parser.add_argument("--quiet", action="store_true", help="Do not print the address.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            host, port = parse_bind(options["bind"])
        except ValueError as error:
            raise CommandError(f"--bind {options['bind']}: {error}.") from None
        _pass_the_gate(host)
        address = _address(host)
        _require_free(address, port)
        if not options["quiet"]:
            shown = f"[{address}]" if ":" in address else address
            self.stdout.write(f"Lakehouse on http://{shown}:{port}/ (Ctrl-C ends it)")
            self.stdout.flush()
        connections.close_all()  # the worker is forked from here and must open its own
        _serve(address, port, threads=options["threads"], log_access=options["access_log"])


def _thread_count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 512:
        raise argparse.ArgumentTypeError("write a number from 1 to 512")
    return int(text)


def _pass_the_gate(host: str) -> None:
    try:
        missing = unapplied_migrations()
        if missing:
            raise CommandError(f"{len(missing)} migrations are not applied. Run `manage.py migrate` first.")
        errors = bind_errors(host)
    except DatabaseError as error:
        raise CommandError(f"The database cannot be used: {error}. Look at DATABASE_URL.") from None
    if errors:
        raise CommandError("Not started.\n" + "\n".join(f"({item.id}) {item.msg} {item.hint}" for item in errors))


def _address(host: str) -> str:
    """Return the IP address to listen on; granian takes no names."""
    found = gate.resolve(host)
    # `localhost` is both 127.0.0.1 and ::1 on most machines; IPv4 is what people type.
    return next((address for address in found if ":" not in address), found[0])


def _require_free(address: str, port: int) -> None:
    """Say clearly that a port is in use: the server's own message comes from another process, as a traceback."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                text = f"{address}:{port} is in use. End what listens there, or choose another port with --bind."
                raise CommandError(text) from None
            raise CommandError(f"Cannot listen on {address}:{port}: {error.strerror}.") from None


def _serve(address: str, port: int, *, threads: int, log_access: bool) -> None:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    server = Server(
        TARGET,
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        workers_kill_timeout=WORKER_STOP_SECONDS,
        blocking_threads=threads,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=settings.LOGGING,
        log_access=log_access,
        log_access_format="%(method)s %(path)s %(status)d %(dt_ms).1f ms %(addr)s",
    )
    _keep_signals_apart()
    child = WorkerChild() if settings.LAKEHOUSE_WORKER else None
    if child is not None:
        child.start()
    try:
        server.serve(target_loader=_load, wrap_loader=False)
    except SystemExit:
        # After Ctrl-C the terminal ends the worker too; granian may take that for a crash.
        if not server.interrupt_signal:
            raise CommandError("The server's worker ended unexpectedly; its log is above.") from None
    finally:
        if child is not None:
            child.stop()


def _keep_signals_apart() -> None:
    """Let the main process alone hear Ctrl-C, and the worker hear the main process from its first moment on.

    Ctrl-C goes to every process of a terminal, and a worker that gets SIGINT beside the SIGTERM of its parent often
    never ends. Blocked before the worker has other threads, SIGINT reaches none of them. The handlers of the parent
    come along with the fork and would swallow a SIGTERM that arrives while the application loads.
    """
    both = {signal.SIGINT, signal.SIGTERM}

    def begin_worker() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, both),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, both),
        after_in_child=begin_worker,
    )


def _load() -> Callable[..., Any]:
    """Return the application; runs in the worker process."""
    # Handlers of `atexit` are not run in a child of multiprocessing, so a graceful end would skip them.
    multiprocessing.util.Finalize(None, atexit._run_exitfuncs, exitpriority=0)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), name="parent-watch", daemon=True).start()
    from lakehouse_site.wsgi import application

    return application


def _end_with(sentinel: int) -> None:
    """End this worker when the main process is gone, however it went; else it would keep the port."""
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
