"""A lease in the database: of all processes one does a certain work, and when it dies another takes over.

A lease saves work; nothing relies on it to be right. Times are those of the database's clock.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import Error, IntegrityError
from django.db.models import Q
from django.db.models.functions import Now

from lakehouse_site.errors import Unavailable
from vectors.models import Lease
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

LEASE_SECONDS = 300
"""How long others wait when its holder was killed; and the work on one index after which another may join in."""


class LeaseHolder:
    """One who wants the lease of this name for some time.

    Parameters
    ----------
    name
        What is to be done by one process only.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._keeps_until = 0.0
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Take the lease for a block and yield whether it was free; afterwards the next one may have it at once."""
        is_mine = self.take()
        try:
            yield is_mine
        finally:
            if is_mine:
                self._give_back()

    def take(self) -> bool:
        """Get the lease, or keep it for another `LEASE_SECONDS`; return False when somebody else has it.

        It costs nothing while more than half of the time is left.
        """
        asked_at = time.monotonic()
        if asked_at < self._keeps_until:
            return True
        if not self._take():
            return False
        self._keeps_until = asked_at + LEASE_SECONDS / 2
        return True

    def _take(self) -> bool:
        mine = Lease.objects.filter(Q(holder=self.holder) | Q(expires_at__lt=Now()), name=self.name)
        until = Now() + timedelta(seconds=LEASE_SECONDS)
        if run_write(lambda: mine.update(holder=self.holder, expires_at=until)):
            return True
        if Lease.objects.filter(name=self.name).exists():
            return False
        try:
            run_write(lambda: Lease.objects.create(name=self.name, holder=self.holder, expires_at=until))
        except IntegrityError:
            return False  # somebody was faster
        return True

    def _give_back(self) -> None:
        self._keeps_until = 0.0
        try:
            run_write(lambda: Lease.objects.filter(name=self.name, holder=self.holder).delete())
        except (Error, Unavailable):
            logger.warning("lease could not be given back, it runs out by itself", extra={"lease": self.name})


def held_by(name: str) -> str | None:
    """Return who has the lease, None when it is free."""
    found = Lease.objects.filter(name=name, expires_at__gte=Now()).values_list("holder", flat=True)
    return found.first()
