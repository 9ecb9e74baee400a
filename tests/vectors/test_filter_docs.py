"""The examples and limits of docs/reference/filters.md, and the examples of docs/reference/http-api.md."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from tests.e2e.reference_filter import holds
from tests.factories import add, make_index
from tests.processes import ROOT
from vectors import duplicates, filter_operators, filters, indexes, queries
from vectors.filters import matches, parse_filter

HTTP_API = (ROOT / "docs" / "reference" / "http-api.md").read_text()
PAGE = (ROOT / "docs" / "reference" / "filters.md").read_text()
EXAMPLE = re.compile(r"^    (POST|PATCH) (/\S+) +(\{.*\})\n((?:     +.*\n)+)", re.MULTILINE)
VARIES = {"ann_ms", "exact_ms", "measured_at", "created_at", "bytes"}
CODE = re.compile(r"`([^`]+)`")


def examples() -> list[tuple[str, list[str], list[str]]]:
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| `{")]
    return [(CODE.findall(one)[0], CODE.findall(yes), CODE.findall(no)) for one, yes, no in rows]


@pytest.mark.parametrize(("text", "yes", "no"), examples(), ids=[example[0] for example in examples()])
def test_an_example_does_what_it_says(text: str, yes: list[str], no: list[str]) -> None:
    body: dict[str, Any] = json.loads(text)

    assert yes
    assert [one for one in yes if not matches(parse_filter(body), json.loads(one))] == []
    assert [one for one in no if matches(parse_filter(body), json.loads(one))] == []
    assert all(holds(body, json.loads(one)) for one in yes)
    assert not any(holds(body, json.loads(one)) for one in no)


def test_every_operator_has_an_example() -> None:
    shown = set(re.findall(r"\$\w+", " ".join(example[0] for example in examples())))

    assert shown == {*filter_operators.OPERATORS, *filter_operators.OPPOSITES, *filters.LOGIC}


def test_the_filter_at_the_top_is_one() -> None:
    (text,) = re.findall(r"^    (\{.*)$", PAGE, re.MULTILINE)

    wanted = parse_filter(json.loads(text))

    assert matches(wanted, {"lang": "en", "year": 2021, "tags": ["news"]})
    assert not matches(wanted, {"lang": "en", "year": 2024, "tags": ["news"]})


def test_the_limits_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| ([a-z].*?) \| ([\d,; bytes]+) \|$", PAGE, re.MULTILINE)

    stated = [int(number.replace(",", "")) for _, text in rows for number in re.findall(r"[\d,]+", text)]

    assert stated == [
        filters.MAX_DEPTH,
        filter_operators.MAX_CHOICES,
        filters.MAX_CONDITIONS,
        filters.MAX_KEYS,
        filters.MAX_PATH_PARTS,
        filters.MAX_PATH_LENGTH,
        filters.MAX_OPERAND_DEPTH,
        filters.MAX_OPERAND_BYTES,
    ]


@pytest.mark.usefixtures("vectors_db", "storage")
def test_the_calls_of_the_reference_are_answered_as_it_says(client: Client) -> None:
    make_index()
    vectors = {"a": [1, 0, 0], "b": [0.9, 0.1, 0], "c": [0, 1, 1], "d": [0, 0, 1]}
    languages = dict(zip("abcd", ("en", "en", "de", "fr"), strict=True))
    items = enumerate(vectors.items(), start=1)
    add("docs", [{"id": key, "vector": row, "metadata": {"lang": languages[key], "n": n}} for n, (key, row) in items])
    calls = EXAMPLE.findall(HTTP_API)

    assert len(calls) == 8
    for method, path, body, expected in calls:
        answer = client.generic(method, f"/v1/vectors{path}", body.encode(), content_type="application/json")
        assert answer.status_code == 200, answer.content
        assert without_what_varies(answer.json()) == without_what_varies(json.loads(expected)), path


def test_the_numbers_of_the_reference_are_those_of_the_code() -> None:
    for text in (
        f"An index of more than {duplicates.MAX_ITEMS_OF_A_CALL:,} items",
        f"`num` = {queries.DEFAULT_NUM}, `k` = {queries.DEFAULT_K} (their product to {queries.MAX_RECALL_HITS:,})",
        f"warns when it is below {indexes.MIN_RECALL}",
        f"(4 k, at least {queries.DEFAULT_FETCH_K}, at most {queries.MAX_K:,})",
        f"`lambda` ({queries.DEFAULT_RELEVANCE})",
    ):
        assert text in " ".join(HTTP_API.split()), text


def without_what_varies(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: type(value) if name in VARIES else value for name, value in answer.items()}
