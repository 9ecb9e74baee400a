from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from benchmarks.chart import chart
from benchmarks.figures import Results, Table
from benchmarks.report import aligned, as_json, markdown, number

SVG = "{http://www.w3.org/2000/svg}"
ROWS = ("hnswlib in process", "this service, vector_b64", "A & B <peer>")


def some_results() -> Results:
    results = Results(facts={"machine": "2 cores"}, notes=["milvus-lite: skipped, pip failed."])
    for key in ("search real", "adds", "built"):
        title = f"{key} of all"
        table = results.table(Table(key, title, "1/s", service=ROWS[1], limit=ROWS[0]))
        for turn in range(3):
            for place, row in enumerate(ROWS):
                for column in ("1 client", "8 clients"):
                    table.add(row, column, 1_000.0 / (place + 1) + turn, 0.99)
    return results


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123"), (0.0, "0.00")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_columns_stand_below_each_other() -> None:
    lines = aligned([["", "a"], ["longer", "1"], ["x", "1,000"]])

    assert len({len(line) for line in lines}) == 1
    assert lines[1] == "|--------|-------|"


def test_tables_tell_medians_spread_recall_and_ratios() -> None:
    text = markdown(some_results())

    line = next(line for line in text.splitlines() if line.startswith("| this service, vector_b64"))
    assert [cell.strip() for cell in line.split("|")[2:5]] == ["501 (500 to 502), recall 0.990", "1.00", "0.50"]
    assert "milvus-lite: skipped, pip failed." in text
    assert "2 cores" in text


def test_ratios_are_left_out_where_there_is_nothing_to_compare_with() -> None:
    results = Results()
    results.table(Table("restart", "restart", "s", service="elsewhere")).add("this service", "s", 1.5)

    assert "of service" not in markdown(results)


def test_json_has_every_figure() -> None:
    facts = json.loads(json.dumps(as_json(some_results())))

    cell = facts["tables"]["adds"]["rows"][ROWS[1]]["1 client"]
    assert cell["values"] == [500.0, 501.0, 502.0]
    assert cell["of_service"] == 1.0
    assert facts["notes"] == ["milvus-lite: skipped, pip failed."]


def test_the_chart_is_xml_with_a_bar_for_every_series() -> None:
    results = some_results()
    root = ET.fromstring(chart(results))  # noqa: S314 (our own text)

    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") in {"bar", "service", "limit"}]
    labels = [text.text for text in root.iter(f"{SVG}text")]
    assert len(bars) == 3 * 2 * len(ROWS)
    assert all(labels.count(row) == 6 for row in ROWS)
    width = float(root.get("width", "0"))
    assert all(float(bar.get("x", "0")) + float(bar.get("width", "0")) < width for bar in bars)


def test_the_chart_is_made_for_light_and_dark_pages_and_for_readers_who_do_not_see_it() -> None:
    text = chart(some_results())

    assert "prefers-color-scheme: dark" in text
    root = ET.fromstring(text)  # noqa: S314 (our own text)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None


def test_a_chart_of_nothing_is_still_xml() -> None:
    assert ET.fromstring(chart(Results())).tag == f"{SVG}svg"  # noqa: S314 (our own text)
