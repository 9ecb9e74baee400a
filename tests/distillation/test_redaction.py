from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation.pipeline_types import Sample, Turn
from distillation.redaction import redact
from tests.distillation.runs import decision, export, fates, run
from tests.distillation.sample_runs import sample_runs


def redacted(text: str) -> str:
    return redact(Sample("", (), "", "", text))[0].response


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to pat.doe@example.com and sam@example.org today.", "Write to [EMAIL] and [EMAIL] today."),
        ("<a+b%c@mail.example.co.uk>", "<[EMAIL]>"),
        ("mailto:jörg@müller.de.", "mailto:[EMAIL]."),
        ("Call +1 555 234 5678 now", "Call [PHONE] now"),
        ("tel:+49-30-1234567,", "tel:[PHONE],"),
        ("+49 (30) 123-4567", "[PHONE]"),
        ("+4915112345678", "[PHONE]"),
        ("0049 30 1234567", "[PHONE]"),
        ("(212) 555-0100 or 212-555-0100 or 212.555.0100", "[PHONE] or [PHONE] or [PHONE]"),
        ("card 4111 1111 1111 1111.", "card [CARD]."),
        ("4111111111111111", "[CARD]"),
        ("3782-822463-10005", "[CARD]"),
        ("5555-5555-5555-4444, 6011000990139424", "[CARD], [CARD]"),
    ],
)
def test_what_names_a_person_becomes_a_placeholder(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "user@host, @decorator, a @ b.com, x@y.z, name@localhost",
        "2026-03-01T23:59:59.123456+02:00 and 2026-03-01 to 2026-03-31",
        "Order 30720: 33 plumbers, 147 units, 1,234,567.89 in all",
        "192.168.100.200 and 10.0.0.1:8080 and 1.2.3.4",
        "6f1c0a52-0d5e-4b7c-9a0e-5f1f0a7c2b11",
        "12345678-1234-1234-1234-123456789012",
        "4111111111111112 and 1234567890123456",
        "4111 1111 1111 1112",
        "order-4111111111111111 id4111111111111111x 0.4111111111111111",
        "100 200 3000, 555 123 4567",
        "C++11 + 12345678 = 5, a+12345678, 3.14159265358979",
        "+1 2 3 and +100 and +5%",
        "ISBN 978-3-16-148410-0",
        "task-0042 run-00171 v1.2.3-4567",
        "2026-03-01 12:30:45 2026/03/01",
        "1700000000 1700000000000",
    ],
)
def test_numbers_and_names_of_other_things_are_left(text: str) -> None:
    assert redacted(text) == text


def test_every_field_is_cleaned_and_counted() -> None:
    sample = Sample("a@b.org", (Turn("user", "c@d.org"),), "e@f.org", "+1 555 234 5678", "g@h.org 4111 1111 1111 1111")

    clean, counts = redact(sample)

    assert clean == Sample("[EMAIL]", (Turn("user", "[EMAIL]"),), "[EMAIL]", "[PHONE]", "[EMAIL] [CARD]")
    assert counts == {"email": 4, "phone": 1, "card": 1}


def test_a_clean_row_is_returned_as_it_is() -> None:
    sample = Sample("be brief", (), "", "how many", "12")

    assert redact(sample)[0] is sample


@given(st.text(alphabet="a@.+-_0123456789 ()/4", max_size=80))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = redacted(text)

    assert redacted(once) == once


@pytest.mark.parametrize(
    "text", ["+1" * 30_000, "a." * 30_000 + "@", "x@" + "a-" * 30_000, "1-" * 30_000, "4" * 60_000]
)
def test_hostile_texts_take_no_longer_than_others(text: str) -> None:
    # An expression that tries again from each character would be at this for hours.
    assert redacted(text + " a@b.org") == text + " [EMAIL]"


def test_in_the_sample_only_two_addresses_are_redacted() -> None:
    texts = [json.dumps(one.content, ensure_ascii=False) for one in sample_runs()]
    # The bodies alone: timestamps and ids are not among the texts, and must not look like anything either.
    counts = [redact(Sample("", (), "", "", text))[1] for text in texts]

    assert [found for found in counts if found] == [{"email": 2}]


def test_what_was_redacted_is_told_of_exported_runs_only() -> None:
    runs = [run("a", response="to a@b.org"), run("b", response="TO a@b.org", prompt="question of a", score=0.1)]
    result = export(runs)

    assert fates(runs) == {"a": "exported", "b": "exact_duplicate"}
    assert decision("a", runs).evidence == {"redacted": {"email": 1}}
    assert result.redactions == {"email": 1}
    assert result.rows[0].sample.response == "to [EMAIL]"


def test_rows_that_differ_in_an_address_alone_are_exact_duplicates() -> None:
    runs = [run("a", prompt="p", response="to a@b.org"), run("b", prompt="p", response="to c@d.org")]

    assert fates(runs) == {"a": "exported", "b": "exact_duplicate"}
