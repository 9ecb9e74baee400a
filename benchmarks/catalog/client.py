"""A client that commits: `python -m benchmarks.catalog.client CONFIG`; it starts when a line with seconds comes in."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.catalog.tables import Committer
from benchmarks.http_call import HttpError

CONFLICT = 409


def commit_for(committer: Committer, kind: str, seconds: float, most: int) -> list[float]:
    """Commit for some seconds, or `most` times; return how long each took from its first try to its success."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    while len(took) < most and (started := time.perf_counter()) < end:
        request = committer.request(kind)
        while True:
            try:
                committer.send(request, kind)
                break
            except HttpError as error:
                if error.status != CONFLICT:
                    raise
                committer.conflicts += 1
                committer.load()
                request = committer.request(kind)
        took.append(time.perf_counter() - started)
    return took


def main() -> None:
    config: dict[str, Any] = json.loads(sys.argv[1])
    committer = Committer(config["port"], config["table"], config["lists"])
    print("ready", flush=True)
    seconds = float(sys.stdin.readline())
    took = commit_for(committer, config["kind"], seconds, config["most"])
    print(json.dumps({"took": took, "conflicts": committer.conflicts}))


if __name__ == "__main__":
    main()
