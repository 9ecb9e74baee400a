"""For `gunicorn -c python:lakehouse_site.gunicorn_conf lakehouse_site.wsgi`: one process, threads, the bind gate."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")

bind = os.environ.get("LAKEHOUSE_BIND", "127.0.0.1:8000")
workers = 1  # each further one holds its own copy of the indexes
threads = 4


def on_starting(server: Any) -> None:
    """Refuse to start on an address that is not loopback, as `manage.py serve` does."""
    import django
    from django.db import connections

    django.setup()
    from lakehouse_site.access.gate import bind_refusals

    refusals = []
    for address in server.cfg.address:
        # A Unix socket is a string; its requests carry no address, so the application asks them for a token.
        if isinstance(address, tuple):
            refusals += bind_refusals(address[0])
    connections.close_all()  # the workers are forked from here
    if refusals:
        raise SystemExit("\n".join(f"({refusal.code}) {refusal.detail} {refusal.hint}" for refusal in refusals))
