"""The main figures as an SVG of bars, readable on light and on dark pages (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.figures import Results, Table
from benchmarks.report import number

SHOWN = ("search real", "adds", "built")
WIDTH, MARGIN, LABEL, VALUE = 760, 16, 210, 84
BAR, GAP, HEAD, SPACE = 16, 6, 34, 18

STYLE = """
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
  .head { font-weight: 600; font-size: 13px }
  .unit, .value { fill: #59636e }
  .page { fill: #ffffff }
  .bar { fill: #8c959f }
  .service { fill: #0969da }
  .limit { fill: #d0d7de }
  .spread { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .unit, .value { fill: #9198a1 }
    .page { fill: #0d1117 }
    .bar { fill: #6e7681 }
    .service { fill: #4493f8 }
    .limit { fill: #3d444d }
    .spread { stroke: #e6edf3 }
  }
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """The bars of one column of one table."""

    table: Table
    column: str

    @property
    def title(self) -> str:
        return self.table.title if self.column == self.table.unit else f"{self.table.title}: {self.column}"

    @property
    def rows(self) -> list[str]:
        return [row for row, cells in self.table.cells.items() if self.column in cells]

    @property
    def height(self) -> int:
        return HEAD + len(self.rows) * (BAR + GAP) + SPACE


def chart(results: Results, shown: tuple[str, ...] = SHOWN) -> str:
    """Return the SVG: a panel for each column of the tables that are shown, a bar for each contender."""
    tables = [results.tables[key] for key in shown if key in results.tables]
    panels = [Panel(table, column) for table in tables for column in table.columns()]
    height = 2 * MARGIN + sum(panel.height for panel in panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title about">',
        '<title id="title">Speed of the service, its limits and its peers</title>',
        '<desc id="about">Bars of medians; the thin line spans the fastest and the slowest round. '
        "The same figures stand in benchmarks/RESULTS.md.</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
    ]
    top = MARGIN
    for panel in panels:
        lines += _panel_lines(panel, top)
        top += panel.height
    return "\n".join([*lines, "</svg>", ""])


def _panel_lines(panel: Panel, top: int) -> list[str]:
    room = WIDTH - 2 * MARGIN - LABEL - VALUE
    most = max((max(panel.table.cells[row][panel.column].values) for row in panel.rows), default=0.0) or 1.0
    title, unit = escape(_short(panel.title)), escape(panel.table.unit)
    lines = [f'<text class="head" x="{MARGIN}" y="{top + 18}">{title} <tspan class="unit">({unit})</tspan></text>']
    for place, row in enumerate(panel.rows):
        series = panel.table.cells[row][panel.column]
        y = top + HEAD + place * (BAR + GAP)
        left, width = MARGIN + LABEL, room * series.median / most
        kind = _kind(panel.table, row)
        name = escape(row)
        lines += [
            f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{name}</text>',
            f'<rect class="{kind}" x="{left}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2">'
            f"<title>{name}: {number(series.median)} {unit}</title></rect>",
        ]
        if len(series.values) > 1:
            start, end = (left + room * value / most for value in (min(series.values), max(series.values)))
            middle = y + BAR // 2
            lines.append(f'<line class="spread" x1="{start:.1f}" y1="{middle}" x2="{end:.1f}" y2="{middle}"/>')
        beside = left + room * max(series.values) / most + 6
        lines.append(f'<text class="value" x="{beside:.1f}" y="{y + 12}">{number(series.median)}</text>')
    return lines


def _kind(table: Table, row: str) -> str:
    if row == table.limit:
        return "limit"
    return "service" if row.startswith("this service") else "bar"


def _short(text: str, most: int = 84) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
