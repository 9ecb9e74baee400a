"""Results as text for people (Markdown that reads well in a terminal) and as JSON for programs (pure)."""

from __future__ import annotations

from typing import Any

from benchmarks.figures import Results, Series, Table


def number(value: float) -> str:
    """Return a figure with three significant digits, or all of its whole ones."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or size == 0 else 4
    return f"{value:,.{digits}f}"


def cell(series: Series) -> str:
    """Return median, the spread of several rounds, and the recall."""
    text = number(series.median)
    if len(series.values) > 1:
        text += f" ({number(min(series.values))} to {number(max(series.values))})"
    return text if series.recall is None else f"{text}, recall {series.recall:.3f}"


def ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def table_lines(table: Table) -> list[str]:
    """Return a table with the ratios of each row to the service and to the limit, where the table has these."""
    columns = table.columns()
    references = [
        (name, row)
        for name, row in (("of service", table.service), ("of hnswlib", table.limit))
        if row is not None and row in table.cells and len(table.cells) > 1
    ]
    head = [""]
    for column in columns:
        head += [column if column == table.unit else f"{column}, {table.unit}", *(name for name, _ in references)]
    rows = [head]
    for row, cells in table.cells.items():
        line = [row]
        for column in columns:
            series = cells.get(column)
            line.append("" if series is None else cell(series))
            line += [ratio(table.ratio(row, column, other)) for _, other in references]
        rows.append(line)
    return aligned(rows)


def aligned(rows: list[list[str]]) -> list[str]:
    """Return Markdown whose columns stand below each other; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


def noise(results: Results) -> str:
    """Say how far apart the rounds were."""
    all_noise = sorted(
        series.noise
        for table in results.tables.values()
        for cells in table.cells.values()
        for series in cells.values()
        if len(series.values) > 1
    )
    if not all_noise:
        return "One round: the noise is not known."
    middle, high = all_noise[len(all_noise) // 2], all_noise[int(len(all_noise) * 0.9)]
    return (
        f"Noise: between its fastest and slowest round, half of all figures moved less than {middle:.0%} of their "
        f"median, nine in ten less than {high:.0%}."
    )


def markdown(results: Results) -> str:
    """Return all tables, the facts of the run, and what was left out."""
    lines = ["# Results of `make bench`", ""]
    lines += [
        "Medians of the rounds (fastest and slowest in brackets); contenders took turns in one run. " + noise(results)
    ]
    lines += ["Compare ratios, which are medians of the rounds' own, not numbers from different machines.", ""]
    for table in results.tables.values():
        better = "more" if table.more_is_better else "less"
        lines += [f"## {table.title[0].upper()}{table.title[1:]}", "", f"In {table.unit}; {better} is better.", ""]
        lines += [*table_lines(table), ""]
    lines += ["## The run", "", *aligned([["", ""], *([name, value] for name, value in results.facts.items())]), ""]
    if results.notes:
        lines += ["Left out or worth knowing:", "", *(f"* {note}" for note in results.notes), ""]
    return "\n".join(lines)


def as_json(results: Results) -> dict[str, Any]:
    """Return every figure of every round."""
    return {
        "facts": results.facts,
        "notes": results.notes,
        "tables": {
            table.key: {
                "title": table.title,
                "unit": table.unit,
                "more_is_better": table.more_is_better,
                "rows": {
                    row: {
                        column: {
                            "values": series.values,
                            "median": series.median,
                            "recall": series.recall,
                            "of_service": table.ratio(row, column, table.service),
                            "of_limit": table.ratio(row, column, table.limit),
                        }
                        for column, series in cells.items()
                    }
                    for row, cells in table.cells.items()
                },
            }
            for table in results.tables.values()
        },
    }
