"""A process on an empty database that restores what an object storage holds, says what is there then, and forgets it.

Run as ``python -m tests.chaos.restored``. Each line of stdin is JSON, a list of vectors; each line of stdout what
`index_restore` made of the storage: for each index its items and the answers to exact searches. `Restorer` is the other
end. One process for many restores, since most of the time of one is its start.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.chaos.sites import WAIT_SECONDS, Site
from tests.processes import ROOT


class Restorer:
    """Restores the objects of a site; to be closed. `problems` is what the last restore complained of."""

    def __init__(self, site: Site) -> None:
        self.problems = ""
        self._log = (site.folder / "restorer.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.restored"],
            cwd=ROOT,
            env=site.whole_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def contents(self, queries: list[list[float]]) -> dict[str, Any]:
        """Return what an empty database holds after `index_restore`, and what it answers."""
        pipes = self._process
        if pipes.stdin is None or pipes.stdout is None:
            raise RuntimeError("The process has no pipes.")
        pipes.stdin.write(json.dumps(queries) + "\n")
        pipes.stdin.flush()
        line = pipes.stdout.readline()
        if not line:
            raise RuntimeError(f"The restore failed:\n{Path(self._log.name).read_text()[-2_000:]}")
        answer = json.loads(line)
        self.problems = str(answer["problems"])
        return dict(answer["indexes"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=WAIT_SECONDS)
        self._log.close()


def main() -> None:
    import django
    from django.core.management import CommandError, call_command

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    from vectors.replicas import replicas

    for line in sys.stdin:
        problems = ""
        try:
            call_command("index_restore", "--json", stdout=io.StringIO())
        except CommandError as error:  # files that a killed publication has left by half are named, and passed over
            problems = str(error)
        answer = {"indexes": _contents(json.loads(line)), "problems": problems}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        replicas.stop()
        call_command("flush", "--no-input", verbosity=0)


def _contents(queries: list[list[float]]) -> dict[str, Any]:
    from tests.e2e.worker import answer

    found: dict[str, Any] = {}
    for info in answer("list", "", {})[1]["results"]:
        name = info["name"]
        bodies = [{"vector": query, "k": 10, "exact": True} for query in queries]
        searches = [answer("search", name, body)[1]["results"] for body in bodies]
        found[name] = {"count": info["count"], "items": _items(answer, name), "searches": searches}
    return found


def _items(answer: Any, name: str) -> dict[str, Any]:
    items: dict[str, Any] = {}
    cursor: str | None = ""
    while cursor is not None:
        _, page = answer("items", name, {"limit": 5_000} | ({"cursor": cursor} if cursor else {}))
        items |= {found["id"]: found for found in page["items"]}
        cursor = page["next"]
    return items


if __name__ == "__main__":
    main()
