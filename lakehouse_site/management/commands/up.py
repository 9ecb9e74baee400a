"""`manage.py up`: from nothing to a service with something in it, in one step that can be repeated."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from lakehouse_site.access.selectors import token_layer_is_on
from lakehouse_site.environment import parse_bind
from vectors import indexes

DEMO_INDEX = "debian-packages"
DEMO_DIMENSION = 384
DEMO_DISTANCE = "cosine"
DEMO_COUNT = 2_000
DEMO_EXAMPLE = "rdiff"
DEMO_FOLDER: Path = settings.BASE_DIR / "demo" / "debian_packages"
MARKER_NAME = "demo-loaded"
MARKER_TEXT = f"The demo index {DEMO_INDEX} was loaded once. Without this file, `make up` would load it again.\n"


class Command(BaseCommand):
    help = "Migrate, load the demo index once, say what is there and serve it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default=settings.LAKEHOUSE_BIND, metavar="HOST:PORT", help="where to serve")
        parser.add_argument("--no-serve", action="store_true", help="prepare everything, but do not serve")

    def handle(self, *args: Any, bind: str, no_serve: bool, **options: Any) -> None:
        try:
            url = local_url(bind)
        except ValueError as error:
            raise CommandError(f"--bind is {bind!r}: {error}.") from error
        try:
            call_command("migrate", verbosity=0, interactive=False)
            self.load_demo()
            self.welcome(url)
        except KeyboardInterrupt:
            # Every step can be repeated, so nothing has to be undone.
            raise CommandError("Stopped before everything was loaded. The next start goes on from here.") from None
        if not no_serve:
            self.serve(bind)

    def load_demo(self) -> None:
        """Load the demo unless that was done before; finish it if an earlier start was interrupted."""
        # The marker, not the index, says that it was done: whoever deletes the demo does not want it back.
        marker = settings.LAKEHOUSE_DATA_DIR / MARKER_NAME
        if marker.exists():
            return
        existing = next((index for index in described_indexes() if index.name == DEMO_INDEX), None)
        if existing is None:
            call_command(
                "index_create", DEMO_INDEX, dimension=DEMO_DIMENSION, distance=DEMO_DISTANCE, stdout=self.stdout
            )
        elif (existing.dimension, existing.distance) != (DEMO_DIMENSION, DEMO_DISTANCE):
            self.stdout.write(f"An index of yours is named {DEMO_INDEX}, so the demo is left out.")
            return
        if existing is None or existing.count < DEMO_COUNT:
            call_command(
                "index_import",
                DEMO_INDEX,
                str(DEMO_FOLDER / "vectors.npy"),
                items=str(DEMO_FOLDER / "items.jsonl"),
                stdout=self.stdout,
                stderr=self.stderr,
            )
        marker.write_text(MARKER_TEXT)

    def welcome(self, url: str) -> None:
        """Print what is there and a first call that works as it stands."""
        found = described_indexes()
        lines = ["", f"Lakehouse: {url}", ""]
        lines += [
            f"  {index.name:<28} {index.count:>11,} items   {index.dimension:>5} numbers   {index.distance}"
            for index in found
        ]
        lines += ["  No index yet."] if not found else []
        lines += ["", *self.first_call(url, has_demo=any(index.name == DEMO_INDEX for index in found)), ""]
        lines += [f"API: {url}/docs   Admin: {url}/admin/ (.venv/bin/python manage.py createsuperuser makes a login)"]
        self.stdout.write("\n".join(lines) + "\n")
        self.stdout.flush()

    def first_call(self, url: str, *, has_demo: bool) -> list[str]:
        token = ' -H "Authorization: Bearer $LAKEHOUSE_AUTH_TOKEN"' if token_layer_is_on() else ""
        if not has_demo:
            return ["The indexes:", "", f"  curl -s{token} {url}/v1/vectors/index"]
        body = json.dumps({"id": DEMO_EXAMPLE, "k": 5})
        return [
            f"The packages most like {DEMO_EXAMPLE}:",
            "",
            f"  curl -s{token} -H 'Content-Type: application/json' -d '{body}' \\",
            f"    {url}/v1/vectors/index/{DEMO_INDEX}/search",
        ]

    def serve(self, bind: str) -> None:
        """Become the server: a new program in this process has none of the connections and memory of the loading."""
        self.stdout.write("Ctrl-C ends it.\n")
        self.stdout.flush()
        manage = str(settings.BASE_DIR / "manage.py")
        os.execv(sys.executable, [sys.executable, manage, "serve", "--quiet", "--bind", bind])  # noqa: S606 - our own program


def described_indexes() -> list[indexes.IndexInfo]:
    return indexes.describe_all(list(indexes.list_indexes()))


def local_url(bind: str) -> str:
    """Return the address a caller on this machine uses for a server bound to `bind`."""
    host, port = parse_bind(bind)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
