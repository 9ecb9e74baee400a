"""Rows of each format, the checks of what trainers take, and files that give back what was written. No database."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distillation.format_checks import COLUMNS, row_faults
from distillation.formats import (
    FORMATS_OF_KIND,
    Format,
    TrainingRow,
    needs_system_column,
    preference_row_of,
    row_of,
)
from distillation.pipeline_types import Pair, Row, Sample, Turn
from distillation.row_files import FileType, read_rows, row_sha256, schema_of, write_rows

SINGLE_FORMATS = [name.value for name in Format if name != Format.PREFERENCE]
PLAIN = Sample("", (), "Some context.", "What is it?", "It is this.")
CHAT = Sample("Be kind.", (Turn("user", "Hello"), Turn("assistant", "Hi")), "", "And now?", "Now this.")


def row(sample: Sample, role: str = "sft") -> Row:
    return Row("run", "task", "accepted", role, "train", "task", sample)


def rendered(sample: Sample, format_name: str, role: str = "sft") -> TrainingRow:
    return row_of(row(sample, role), format_name, system_column=needs_system_column([sample]))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_messages() -> None:
    question = user("Some context.\n\nWhat is it?")
    assert rendered(PLAIN, "messages") == {"messages": [question, assistant("It is this.")]}
    system = {"role": "system", "content": "Be kind."}
    turns = [system, user("Hello"), assistant("Hi"), user("And now?"), assistant("Now this.")]
    assert rendered(CHAT, "messages") == {"messages": turns}


def test_prompt_completion_as_text_and_as_messages() -> None:
    assert rendered(PLAIN, "prompt_completion") == {
        "prompt": "Some context.\n\nWhat is it?\n\n",
        "completion": "It is this.",
    }
    assert rendered(CHAT, "prompt_completion") == {
        "prompt": "Be kind.\n\nUser: Hello\n\nAssistant: Hi\n\nUser: And now?\n\nAssistant: ",
        "completion": "Now this.",
    }
    assert rendered(PLAIN, "prompt_completion_messages") == {
        "prompt": [user("Some context.\n\nWhat is it?")],
        "completion": [assistant("It is this.")],
    }


def test_alpaca_has_a_field_for_the_context_and_a_system_column_only_where_needed() -> None:
    assert rendered(PLAIN, "alpaca") == {
        "instruction": "What is it?",
        "input": "Some context.",
        "output": "It is this.",
    }
    with_system = row_of(row(PLAIN), "alpaca", system_column=True)
    assert list(with_system) == ["instruction", "input", "output", "system"]
    assert with_system["system"] == ""


def test_sharegpt() -> None:
    said = [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi"}]
    asked = [{"from": "human", "value": "And now?"}, {"from": "gpt", "value": "Now this."}]
    assert rendered(CHAT, "sharegpt") == {"conversations": said + asked, "system": "Be kind."}


def test_preference_and_kto() -> None:
    worse = Sample("", (), "Some context.", "What is it?", "No idea.")

    pair = preference_row_of(Pair(row(PLAIN, "chosen"), row(worse, "rejected")))

    question = user("Some context.\n\nWhat is it?")
    assert pair == {"prompt": [question], "chosen": [assistant("It is this.")], "rejected": [assistant("No idea.")]}
    assert row_faults(pair, "preference", system_column=False) == []
    assert rendered(worse, "kto", "kto_false")["label"] is False
    assert rendered(PLAIN, "kto", "kto_true") == {
        "prompt": [question],
        "completion": [assistant("It is this.")],
        "label": True,
    }


def test_turns_are_made_to_alternate() -> None:
    odd = (
        Turn("assistant", "Welcome"),
        Turn("user", "a"),
        Turn("user", "b"),
        Turn("assistant", "c"),
        Turn("user", "d"),
    )

    found = rendered(Sample("", odd, "", "e", "f"), "messages")

    assert found == {"messages": [user("Welcome\n\na\n\nb"), assistant("c"), user("d\n\ne"), assistant("f")]}


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)
samples = st.builds(
    Sample,
    system=st.one_of(st.just(""), texts),
    turns=st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), texts), max_size=5).map(tuple),
    context=st.one_of(st.just(""), texts),
    instruction=texts,
    response=texts,
)


@pytest.mark.parametrize("file_type", [name.value for name in FileType])
@pytest.mark.parametrize("format_name", SINGLE_FORMATS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(found=st.lists(samples, min_size=0, max_size=4))
def test_whatever_is_rendered_passes_the_check_after_a_round_trip(
    found: list[Sample], format_name: str, file_type: str, tmp_path: Path
) -> None:
    system_column = needs_system_column(found)
    rows = [row_of(row(sample), format_name, system_column=system_column) for sample in found]
    schema = schema_of(format_name, system_column=system_column)

    for name in ("a", "b"):
        assert write_rows(tmp_path / name, rows, file_type=file_type, schema=schema) == len(rows)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with (tmp_path / "a").open("rb") as file:
        back = list(read_rows(file, file_type=file_type))
    assert back == rows
    assert [row_sha256(one) for one in back] == [row_sha256(one) for one in rows]
    assert [row_faults(one, format_name, system_column=system_column) for one in back] == [[] for _ in rows]


QUESTION, ANSWER = user("q"), assistant("a")


@pytest.mark.parametrize(
    ("format_name", "bad", "fault"),
    [
        ("messages", [], "no object"),
        ("messages", {}, "messages is missing"),
        ("messages", {"messages": None}, "messages is null"),
        ("messages", {"messages": []}, "not a list"),
        ("messages", {"messages": [QUESTION, ANSWER], "id": 1}, "no column id"),
        ("messages", {"messages": [QUESTION]}, "last turn"),
        ("messages", {"messages": [ANSWER, QUESTION]}, "in turn"),
        ("messages", {"messages": [QUESTION, QUESTION, ANSWER]}, "in turn"),
        ("messages", {"messages": [user(" "), ANSWER]}, "is empty"),
        ("messages", {"messages": [{**QUESTION, "name": "x"}, ANSWER]}, "keys"),
        ("messages", {"messages": [QUESTION, {"role": "assistant", "content": None}]}, "no string"),
        ("messages", {"messages": [QUESTION, ANSWER, {"role": "tool", "content": "x"}]}, "in turn"),
        ("prompt_completion", {"prompt": "q", "completion": ""}, "completion is empty"),
        ("prompt_completion", {"prompt": ["q"], "completion": "a"}, "prompt is no string"),
        ("alpaca", {"instruction": "q", "output": "a"}, "input is missing"),
        ("alpaca", {"instruction": "q", "input": "", "output": "a", "system": ""}, "no column system"),
        ("alpaca", {"instruction": "q", "input": 1, "output": "a"}, "input is no string"),
        ("sharegpt", {"conversations": [QUESTION]}, "keys from and value"),
        ("sharegpt", {"conversations": [{"from": "gpt", "value": "a"}]}, "in turn"),
        ("preference", {"prompt": [QUESTION], "chosen": [ANSWER], "rejected": [ANSWER]}, "same text"),
        ("preference", {"prompt": [QUESTION], "chosen": [], "rejected": [ANSWER]}, "not a list of one"),
        ("preference", {"prompt": [ANSWER], "chosen": [ANSWER], "rejected": [assistant("b")]}, "in turn"),
        ("kto", {"prompt": [QUESTION], "completion": [ANSWER], "label": 1}, "neither true nor false"),
        ("kto", {"prompt": [QUESTION], "completion": [QUESTION], "label": True}, "not the assistant's"),
    ],
)
def test_rows_a_trainer_would_drop_or_choke_on_are_named(format_name: str, bad: Any, fault: str) -> None:
    found = row_faults(bad, format_name, system_column=False)

    assert len(found) == 1
    assert fault in found[0]


def test_the_hash_of_a_row_is_that_of_its_line() -> None:
    assert row_sha256({"b": "ü", "a": "1"}) == hashlib.sha256('{"b":"ü","a":"1"}'.encode()).hexdigest()


def test_every_format_belongs_to_a_kind_and_has_columns() -> None:
    formats = {name for formats in FORMATS_OF_KIND.values() for name in formats}

    assert formats == {name.value for name in Format} == set(COLUMNS)


def test_a_file_that_was_cut_is_no_file_of_rows(tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl").write_bytes(b'{"a": 1}\n{"a"')
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")

    for file_type in FileType:
        with (tmp_path / f"cut.{file_type}").open("rb") as file, pytest.raises(ValueError, match=r"no end|Parquet"):
            list(read_rows(file, file_type=file_type))
