from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation.lines import read_lines
from distillation.timestamps import parse_rfc3339
from distillation.validation import Code, LineFault, ScoredRunLine, judge, validate
from tests.distillation.run_lines import fields, line
from tests.processes import ROOT

MESSAGES = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def fault_of(raw: bytes) -> str | None:
    found = validate(raw)
    return found.code.value if isinstance(found, LineFault) else None


def with_body(**body: Any) -> dict[str, Any]:
    return {"prompt": ..., "response": ..., **body}


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("nul_character", {"note": "a\0b"}),
        ("nul_character", {"no\0te": 1, "schema_version": 2}),
        ("unsupported_schema_version", {"schema_version": 2, "category": ...}),
        ("unsupported_schema_version", {"schema_version": "1"}),
        ("unsupported_schema_version", {"schema_version": True}),
        ("unsupported_schema_version", {"schema_version": None}),
        ("missing_category", {"category": ..., "scored_at": ...}),
        ("missing_field", {"task_id": ..., "category": ...}),
        ("missing_field", {"source": ...}),
        ("wrong_type", {"run_id": 17, "category": "odd"}),
        ("wrong_type", {"task_id": None}),
        ("wrong_type", {"source": 1}),
        ("invalid_id", {"task_id": ""}),
        ("invalid_id", {"task_id": "t" * 129}),
        ("invalid_id", {"task_id": "../../etc/run"}),
        ("invalid_id", {"task_id": "run 17"}),
        ("invalid_id", {"task_id": "run\n"}),
        ("unknown_category", {"category": "accepted ", "scored_at": 1}),
        ("unknown_category", {"category": "Accepted"}),
        ("unknown_category", {"category": ["accepted"]}),
        ("unknown_category", {"category": None}),
        ("invalid_timestamp", {"scored_at": 1_772_791_200, "attempt": "x"}),
        ("wrong_type", {"attempt": "2", "score": 3}),
        ("wrong_type", {"attempt": True}),
        ("wrong_type", {"attempt": 1.0}),
        ("invalid_value", {"attempt": 0}),
        ("invalid_value", {"attempt": 1_001}),
        ("invalid_value", {"attempt": 10**30}),
        ("wrong_type", {"score": "0.9", **with_body()}),
        ("wrong_type", {"score": True}),
        ("score_out_of_range", {"score": -0.01}),
        ("score_out_of_range", {"score": 1.7}),
        ("score_out_of_range", {"score": 10**400 // 10**380}),
        ("ambiguous_body", {"messages": 1}),
        ("wrong_type", with_body(messages={})),
        ("invalid_message", with_body(messages=[])),
        ("invalid_message", with_body(messages=["x"])),
        ("invalid_message", with_body(messages=[{"role": "robot", "content": "x"}])),
        ("invalid_message", with_body(messages=[{"role": "user", "content": None}])),
        ("invalid_message", with_body(messages=[{"role": ["user"], "content": "x"}])),
        ("invalid_message", with_body(messages=[*MESSAGES[:1], {"role": "assistant", "content": " "}])),
        ("missing_field", {"prompt": ...}),
        ("missing_field", {"response": ...}),
        ("wrong_type", {"prompt": None}),
        ("empty_field", {"response": "  \n "}),
        ("empty_field", {"prompt": ""}),
        ("wrong_type", {"scorer": "rubric"}),
        ("wrong_type", {"context": 1}),
        ("wrong_type", {"tags": "nightly"}),
        ("invalid_value", {"model": "m" * 257}),
    ],
)
def test_the_first_fault_of_a_line_is_told(code: str, changes: dict[str, Any]) -> None:
    assert fault_of(line(**changes)) == code


@pytest.mark.parametrize(
    ("code", "raw"),
    [
        ("invalid_utf8", b'{"run_id": "\xff", "run_id": 1'),
        ("invalid_utf8", b'"\xed\xa0\x80"'),
        ("duplicate_key", line()[:-1] + b', "categor\\u0079": "accepted"}'),
        ("duplicate_key", b'{"x": {"a": 1, "a": 2}} trailing'),
        ("invalid_json", b'{"score": NaN}'),
        ("invalid_json", b'{"a": 1} {"b": 2}'),
        ("invalid_json", b"[" * 200_000),
        ("not_an_object", b'["\\u0000"]'),
        ("not_an_object", b"null"),
    ],
)
def test_what_is_no_object_is_told(code: str, raw: bytes) -> None:
    assert fault_of(raw) == code


def test_a_valid_line_is_a_run_with_everything_it_had() -> None:
    scorer = {"name": "rubric", "version": "2.1.0"}
    raw = line(attempt=3, score=1, scorer=scorer, model="m-large", reviewer="x", deep={"n": 2**70}, context=None)

    run = validate(raw)

    assert isinstance(run, ScoredRunLine)
    assert (run.run_id, run.attempt, run.score, run.scorer_name, run.model) == ("run-1", 3, 1.0, "rubric", "m-large")
    assert run.scored_at == datetime(2026, 3, 1, 20, 15, 12, tzinfo=UTC)
    assert run.extra == {"reviewer": "x", "deep": {"n": 2**70}}
    assert str(2**70) in run.content


def test_of_messages_all_but_the_last_answer_is_the_prompt() -> None:
    run = validate(line(**with_body(messages=[*MESSAGES, *MESSAGES])))
    unanswered = validate(line(**with_body(messages=MESSAGES[:1])))

    assert isinstance(run, ScoredRunLine)
    assert (run.prompt_characters, run.response_characters) == (9, 5)
    assert isinstance(unanswered, ScoredRunLine)
    assert (unanswered.prompt_characters, unanswered.response_characters) == (2, 0)


@given(st.binary(max_size=80))
def test_no_bytes_make_validation_fail_otherwise(raw: bytes) -> None:
    assert isinstance(validate(raw), (LineFault, ScoredRunLine))


FIELD = st.sampled_from([*fields(), "messages", "attempt", "score", "scorer", "tags", "schema_version"])
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | FIELD, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(FIELD, ODD, max_size=4))
def test_any_value_anywhere_is_a_run_or_a_fault(changes: dict[str, Any]) -> None:
    found = validate(line(**changes))

    if isinstance(found, ScoredRunLine):
        assert orjson.loads(found.content) == orjson.loads(line(**changes))


@pytest.mark.parametrize(
    ("tail", "outcome"),
    [
        (line(), "run"),
        (line()[:-1], None),
        (b'{"a": 1, "a"', None),
        (b'{"x": {"a": 1, "a": 2}, "b', None),
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b'"\xff', None),
        (b"null", "not_an_object"),
        (b'{"long": "' + b"x" * 2_000, None),
        (b'{"long": "' + b"x" * 2_000 + b'"}', "line_too_long"),
    ],
)
def test_a_last_line_without_line_feed_is_unfinished_unless_it_is_json(tail: bytes, outcome: str | None) -> None:
    (raw,) = read_lines([tail], 1_000)

    judged = judge(raw, 1_000)

    assert outcome == ("run" if isinstance(judged, ScoredRunLine) else judged and judged.code.value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T20:15:12Z", "2026-03-01T20:15:12"),
        ("2026-03-01t20:15:12.5z", "2026-03-01T20:15:12.500000"),
        ("2026-03-01T20:15:12.1234567891+05:30", "2026-03-01T14:45:12.123456"),
        ("2026-03-01T20:15:12-00:00", "2026-03-01T20:15:12"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("2016-12-31T15:59:60.25-08:00", "2017-01-01T00:00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        *(
            (text, None)
            for text in (
                "2026-03-01 20:15:12Z", "2026-03-01T20:15:12", "2026-03-01T20:15Z", "2026-02-30T10:00:00Z",
                "2026-03-01T24:00:00Z", "2026-03-01T20:60:00Z", "2026-03-01T20:15:60Z", "2026-03-01T20:15:12+24:00",
                "2026-03-01T20:15:12+0530", "2026-03-01T20:15:12.Z", "0000-01-01T00:00:00Z", "2026-W09-7T20:15:12Z",
                "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:60Z", "２026-03-01T20:15:12Z", "2026-03-01T20:15:12Z\n",
            )
        ),
    ],
)  # fmt: skip
def test_times_are_those_of_rfc_3339(text: str, moment: str | None) -> None:
    found = parse_rfc3339(text)

    assert (found and found.replace(tzinfo=None).isoformat()) == moment


@given(st.datetimes(), st.sampled_from(["", ".5", ".1234567891"]))
def test_every_spelling_of_utc_is_one_moment(moment: datetime, fraction: str) -> None:
    text = moment.replace(microsecond=0).isoformat() + fraction

    found = [
        parse_rfc3339(text.replace("T", mark) + offset)
        for mark, offset in zip("TtTt", ("Z", "z", "+00:00", "-00:00"), strict=True)
    ]

    assert found == found[:1] * 4
    assert [one and one.tzinfo for one in found] == [UTC] * 4


def test_the_page_for_readers_has_every_code_in_its_order() -> None:
    page = (ROOT / "docs" / "how-to" / "bring-in-scored-runs.md").read_text()
    told = re.findall(r"^\| `(\w+)` \|", page.split("## The faults")[1], re.MULTILINE)

    assert told == [code.value for code in Code]
