"""Our side of the comparison, in a process of its own: each stage timed once, memory read at the end.

Run as ``python -m benchmarks.distillation.own ROOT PART`` with LAKEHOUSE_DATA_DIR set, where PART is parse, words or
whole; prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distillation.pipeline_types import EvalItem

WORDS_STAGES = ("tokenisation", "decontamination", "near_duplicates")


def raw_lines(root: Path) -> list[bytes]:
    return [line for path in sorted(root.glob("scored-runs/**/*.jsonl")) for line in path.read_bytes().splitlines()]


def read_items(root: Path) -> list[EvalItem]:
    from distillation.pipeline_types import EvalItem

    found = (json.loads(line) for line in (root / "eval.jsonl").read_text().splitlines())
    return [EvalItem("bench", item["id"], item["prompt"], item["answer"]) for item in found]


def parse(root: Path) -> tuple[float, int]:
    """Parse and validate every line; return the seconds and the valid lines."""
    from distillation.validation import ScoredRunLine, validate

    raw = raw_lines(root)
    started = time.perf_counter()
    valid = sum(isinstance(validate(line), ScoredRunLine) for line in raw)
    return time.perf_counter() - started, valid


def words(root: Path) -> dict[str, float]:
    """Run the pure pipeline; return its seconds, and the rows that its stages on words began with."""
    from distillation.pipeline import run_pipeline
    from distillation.pipeline_types import PipelineConfig, Run
    from distillation.validation import ScoredRunLine, validate

    runs = []
    for line in map(validate, raw_lines(root)):
        if isinstance(line, ScoredRunLine):
            identity = (line.run_id, line.task_id, line.category, line.source, line.attempt, line.score)
            runs.append(Run(*identity, line.scored_at, False, line.fields))
    started = time.perf_counter()
    result = run_pipeline(runs, read_items(root), PipelineConfig())
    found = {"pipeline": time.perf_counter() - started}
    found |= {name: result.seconds[name] for name in WORDS_STAGES}
    found["documents"] = next(out for name, _, out in result.stages if name == "exact_duplicates")
    found["kept"] = len(result.rows)
    return found


def whole(root: Path) -> dict[str, float]:
    """Ingest into a database of its own and export from it."""
    import django

    django.setup()
    from django.core.management import call_command

    from distillation.ingestion import ingest_scored_runs

    call_command("migrate", verbosity=0)
    started = time.perf_counter()
    ingest_scored_runs(root=root)
    ingested = time.perf_counter()
    call_command("export_sft", "--eval-set", str(root / "eval.jsonl"), "--json", stdout=sys.stderr)
    exported = time.perf_counter()
    return {"ingest": ingested - started, "export": exported - ingested}


def main() -> None:
    root, part = Path(sys.argv[1]), sys.argv[2]
    if part == "words":
        figures = words(root)
    elif part == "parse":
        seconds, valid = parse(root)
        figures = {"parse": seconds, "lines": valid}
    else:
        figures = whole(root)
    # Of this process alone, from its start: the parts do not add to each other.
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
