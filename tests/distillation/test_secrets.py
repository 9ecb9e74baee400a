from __future__ import annotations

from typing import Any

import pytest

from distillation.pipeline_types import Sample
from distillation.secrets import find_secret
from tests.distillation.runs import decision, run

KEY = "AKIAIOSFODNN7EXAMPLE"
# Joined here, so that no scanner of repositories takes this file for a leak.
SHAPES = {
    "aws_key_id": KEY,
    "private_key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "github_token": "ghp_" + "a1B2" * 9,
    "gitlab_token": "glpat-" + "a1B2c" * 4,
    "slack_token": "xoxb-" + "1234567890-" * 3,
    "slack_webhook": "https://hooks.slack" + ".com/services/T0/B0/" + "a1B2" * 6,
    "openai_key": "sk-" + "proj-" + "a1B2" * 12,
    "google_key": "AIza" + "a1B2c" * 7,
    "stripe_key": "sk_" + "live_" + "a1B2" * 6,
    "npm_token": "npm_" + "a1B2" * 9,
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0." + "a1B2" * 6,
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_credential_is_known_by_its_shape(kind: str) -> None:
    assert find_secret(Sample("", (), "", f"use {SHAPES[kind]}, please", "")) == (kind, "instruction")


@pytest.mark.parametrize("kind", ["PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
def test_private_keys_of_all_kinds_are_known(kind: str) -> None:
    assert find_secret(Sample("", (), "", "", f"-----BEGIN {kind}-----\nMII"))


@pytest.mark.parametrize(
    "text",
    [
        "an AKIA key, xAKIAIOSFODNN7EXAMPLE, AKIAIOSFODNN7EXAMPLEX",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "sk-learn-compatible-estimators-and-transformers-for-tables",
        "task-0042 ghp_short xoxb- eyJ AIza",
        "a risk-" + "a1B2" * 12,
    ],
)
def test_what_only_looks_a_little_like_one_is_left(text: str) -> None:
    assert find_secret(Sample("", (), "", "", text)) is None


@pytest.mark.parametrize("field", ["system", "context", "prompt", "response"])
def test_a_run_with_a_secret_in_any_field_is_held_back_and_the_value_is_not_kept(field: str) -> None:
    body: dict[str, Any] = {field: f"the key is {KEY}."}

    found = decision("a", [run("a", **body)])

    assert found.outcome == "secret"
    assert KEY not in str(found)
    assert found.evidence["secret"] == "aws_key_id"


def test_a_secret_in_an_earlier_turn_counts_too() -> None:
    turns = [("user", "hi"), ("assistant", KEY), ("user", "why"), ("assistant", "so")]
    messages = [{"role": role, "content": content} for role, content in turns]

    assert decision("a", [run("a", messages=messages)]).outcome == "secret"
