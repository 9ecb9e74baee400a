"""What is measured, by name, in the order of a run."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.parts import adds, big, merges, mixed, searches

PARTS: dict[str, Callable[[Bench], None]] = {
    "adds": adds.run_batches,
    "whole": adds.run_whole,
    "search": searches.run_search,
    "batched": searches.run_batched,
    "filtered": searches.run_filtered,
    "merge": merges.run_merge,
    "mixed": mixed.run_mixed,
    "restart": big.run_big,
    "seeded": searches.run_seeded,
}
