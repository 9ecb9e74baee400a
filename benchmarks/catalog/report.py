"""The figures of a run as a section of Markdown (pure)."""

from __future__ import annotations

from benchmarks.figures import Results
from benchmarks.report import aligned, noise, table_lines


def section(results: Results) -> str:
    """Return all tables, the facts of the run, and what was left out."""
    lines = ["## Catalog", "", "Results of `make bench-catalog`."]
    lines += [
        "Medians of the rounds (lowest and highest in brackets); all sides took turns in one run.",
        noise(results),
    ]
    lines.append("")
    for table in results.tables.values():
        better = "more" if table.more_is_better else "less"
        lines += [f"### {table.title[0].upper()}{table.title[1:]}", "", f"In {table.unit}; {better} is better.", ""]
        lines += [*table_lines(table), ""]
    lines += ["### The run", "", *aligned([["", ""], *([name, value] for name, value in results.facts.items())]), ""]
    if results.notes:
        lines += ["Left out or worth knowing:", "", *(f"* {note}" for note in results.notes), ""]
    return "\n".join(lines)
