"""The thread of a server that maintains indexes, and what it does when the server ends in good order."""

from __future__ import annotations

import atexit
import logging
import threading
import time

from django.conf import settings
from django.db import Error, connection

from lakehouse_site.errors import LakehouseError, StorageFailed
from vectors.indexes import index_state
from vectors.leases import LeaseHolder
from vectors.maintenance import run_round
from vectors.replicas import replicas
from vectors.snapshot_records import verified
from vectors.snapshots import take_snapshot

logger = logging.getLogger(__name__)

LEASE = "vectors maintenance"
SHUTDOWN_SECONDS = 5.0
WRITTEN_BYTES_PER_SECOND = 50_000_000
"""What a slow disk takes: a snapshot that would not be done in time is not begun."""


class Upkeep:
    """Rounds of maintenance in a background thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless LAKEHOUSE_MAINTENANCE_SECONDS is 0 or it has begun; it ends with the process."""
        with self._lock:
            if self._thread is not None or not settings.LAKEHOUSE_MAINTENANCE_SECONDS:
                return
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
            self._thread.start()
            atexit.register(self.finish)

    def finish(self) -> None:
        """End the thread and take snapshots of what has changed, as far as there is time."""
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        thread.join(SHUTDOWN_SECONDS)
        try:
            snapshot_before(deadline)
        finally:
            connection.close()

    def _run(self) -> None:
        holder = LeaseHolder(LEASE)
        while not self._stopping.wait(settings.LAKEHOUSE_MAINTENANCE_SECONDS):
            try:
                with holder.held() as is_mine:
                    if is_mine:
                        run_round(finish_graphs=False, go_on=lambda: not self._stopping.is_set() and holder.take())
            except (Error, LakehouseError) as error:
                logger.warning("maintenance put off", extra={"reason": str(error)})
            except Exception:
                logger.exception("maintenance failed")
            finally:
                connection.close()  # idle, it would be in the way of backups and drops


def snapshot_before(deadline: float) -> int:
    """Take snapshots of the changed indexes in the memory of this process until this time (`time.monotonic`)."""
    taken = 0
    for name in replicas.names():
        try:
            state = index_state(name=name)
            good = verified(state.id)
            size = state.live_count * (8 * state.dimension + 512)
            if good and good[0].seq == state.last_seq:
                continue
            if time.monotonic() + size / WRITTEN_BYTES_PER_SECOND > deadline:
                logger.info("no time for a snapshot", extra={"index": name})
                continue
            take_snapshot(state=state)
            taken += 1
        except StorageFailed:
            break  # on record and in the log; the others would wait for the same storage
        except (Error, LakehouseError) as error:
            logger.warning("no snapshot before the end", extra={"index": name, "reason": str(error)})
        except Exception:  # at the end of a process not everything works any more
            logger.exception("no snapshot before the end", extra={"index": name})
    return taken


upkeep = Upkeep()
