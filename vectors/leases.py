"""A lease in the database: of all processes one does a certain work, and when it dies another takes over.

A lease saves work; nothing relies on it to be right. Times are those of the database's clock.
"""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta

from django.db import IntegrityError
from django.db.models import Q
from django.db.models.functions import Now

from vectors.models import Lease
from vectors.transactions import run_write

LEASE_SECONDS = 60


class LeaseHolder:
    """One who wants the lease of this name for some time.

    Parameters
    ----------
    name
        What is to be done by one process only.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def take(self) -> bool:
        """Get the lease, or keep it for another `LEASE_SECONDS`; return False when somebody else has it."""
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

    def give_back(self) -> None:
        """Let the next one have it at once."""
        run_write(lambda: Lease.objects.filter(name=self.name, holder=self.holder).delete())


def held_by(name: str) -> str | None:
    """Return who has the lease, None when it is free."""
    found = Lease.objects.filter(name=name, expires_at__gte=Now()).values_list("holder", flat=True)
    return found.first()
