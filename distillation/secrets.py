"""Credentials in training text: found by the shapes their issuers document. The value itself is never kept."""

from __future__ import annotations

import re

from distillation.pipeline_types import Sample

_SHAPES = {
    "aws_key_id": r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    "private_key": r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----",
    "github_token": r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{36,255})",
    "gitlab_token": r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,}",
    "slack_token": r"(?<![A-Za-z0-9])xox[abeoprs]-[0-9A-Za-z-]{20,}",
    "slack_webhook": r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}",
    "openai_key": r"(?<![A-Za-z0-9_-])sk-(?=[a-z0-9_-]*[A-Z])(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{32,}",
    "google_key": r"(?<![A-Za-z0-9_-])AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])",
    "stripe_key": r"(?<![A-Za-z0-9])[rs]k_live_[0-9A-Za-z]{16,}",
    "npm_token": r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])",
    "jwt": r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}",
}
_SECRET = re.compile("|".join(f"(?P<{kind}>{shape})" for kind, shape in _SHAPES.items()))
# Every shape holds one of these: looking for them first spares nearly all texts the expression.
_MARKS = (
    *("AKIA", "ASIA", "PRIVATE KEY", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("xox", "hooks.slack", "sk-", "AIza", "k_live_", "npm_", "eyJ"),
)


def find_secret(sample: Sample) -> tuple[str, str] | None:
    """Say which kind of credential stands in which field of a row: the first one found, or None.

    Parameters
    ----------
    sample
        All its texts are looked at. Not modified.
    """
    texts = texts_of(sample)
    together = "\n".join(text for _, text in texts)
    if any(mark in together for mark in _MARKS):
        for place, text in texts:
            found = _SECRET.search(text)
            if found is not None and found.lastgroup is not None:
                return found.lastgroup, place
    return None


def texts_of(sample: Sample) -> list[tuple[str, str]]:
    """Return each text of a row with the name of its field."""
    return [
        ("system", sample.system),
        *((f"turns[{place}]", turn.content) for place, turn in enumerate(sample.turns)),
        ("context", sample.context),
        ("instruction", sample.instruction),
        ("response", sample.response),
    ]
