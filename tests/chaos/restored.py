"""Restore what an object storage holds into the empty database of this process, and say what is there then.

Run as ``python -m tests.chaos.restored QUERIES`` (JSON: vectors). Prints JSON: for each index its items and the answers
to exact searches.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any


def main() -> None:
    import django
    from django.core.management import call_command

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    call_command("index_restore", "--json", stdout=io.StringIO())
    from tests.e2e.worker import answer

    queries = json.loads(sys.argv[1])
    found: dict[str, Any] = {}
    for info in answer("list", "", {})[1]["results"]:
        name = info["name"]
        bodies = [{"vector": query, "k": 10, "exact": True} for query in queries]
        searches = [answer("search", name, body)[1]["results"] for body in bodies]
        found[name] = {"count": info["count"], "items": _items(answer, name), "searches": searches}
    sys.stdout.write(json.dumps(found))


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
