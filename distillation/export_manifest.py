"""The manifest: a half that is hashed, the same for the same input and configuration, and a half of circumstances."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

import orjson

from distillation.export_plan import Plan
from distillation.export_request import configuration
from distillation.export_storage import FileInfo
from distillation.export_verify import Verified
from distillation.export_writer import Written
from distillation.firewall import SFT_NEVER

MANIFEST_VERSION = 1
_LIBRARIES = ("numpy", "orjson", "pyarrow", "rensa", "xxhash")


def hashed_half(plan: Plan, *, written: Written, verified: Verified, files: Sequence[FileInfo]) -> dict[str, Any]:
    """Return what follows from the input and the configuration alone."""
    source, result = plan.source.input, plan.result
    outcomes = Counter(decision.outcome.value for decision in result.decisions)
    return {
        "manifest_version": MANIFEST_VERSION,
        "configuration": configuration(plan.source.request),
        "input": {
            "runs": len(source.runs),
            "files": [asdict(file) for file in source.files],
            "conservation": "lines = blank + incomplete_tail + duplicate_identical + quarantined + ingested",
        },
        "eval_sets": [
            {
                "name": evals.name,
                "sha256": evals.sha256,
                "items": len(evals.items),
                "hits": dict(sorted(result.eval_hits.get(evals.name, {}).items())),
            }
            for evals in source.eval_sets
        ],
        "stages": [asdict(stage) for stage in plan.stages],
        "outcomes": dict(sorted(outcomes.items())),
        "conservation": {"runs": len(source.runs), "decisions": sum(outcomes.values()), "is_conserved": True},
        "firewall": {"sft_never": sorted(SFT_NEVER), "canaries_planted": plan.canaries, **asdict(verified)},
        "splits": dict(written.rows),
        "redactions": dict(sorted(result.redactions.items())),
        "files": [{**asdict(file), "rows": _rows_in(file, written)} for file in files],
    }


def _rows_in(file: FileInfo, written: Written) -> int | None:
    """Return the rows of a data file, None for the others."""
    return written.rows.get(file.name.partition(".")[0])


def manifest_of(
    export_id: str,
    hashed: Mapping[str, Any],
    *,
    started_at: datetime,
    finished_at: datetime,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Return the whole manifest. Versions are circumstances: what files depend on is in the other half."""
    return {
        "export_id": export_id,
        "hashed_sha256": hashlib.sha256(orjson.dumps(hashed, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        "hashed": hashed,
        "unhashed": {
            "started_at": started_at.isoformat(),
            "finished_at": finished_at.isoformat(),
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "python": platform.python_version(),
            "libraries": {name: version(name) for name in _LIBRARIES},
        },
    }


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Return the manifest as it stands in its file."""
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
