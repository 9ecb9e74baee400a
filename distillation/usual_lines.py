"""A quick look at a line that is as nearly all are: is everything in it right? What it does not know goes the long way.

It must never say yes to a line in which `validation` would find a fault; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from distillation.run_fields import CATEGORIES, ID, KNOWN, MAX_ATTEMPT, MAX_NAME_CHARACTERS, SCHEMA_VERSION
from distillation.timestamps import parse_rfc3339

_FIELDS = KNOWN - {"messages", "tags"}
_SCORER = frozenset({"name", "version"})
_NOBODY = {"name": "", "version": ""}


def moment_of_usual(fields: Any) -> datetime | None:
    """Return when a run was scored whose line is of the usual form; None for every other line, right or wrong.

    Parameters
    ----------
    fields
        Any parsed JSON. Whole numbers beyond 64 bits may stand as fractions: the usual form has none as large.
    """
    try:
        scored_at = fields["scored_at"]
        if (
            fields.keys() <= _FIELDS
            and type(fields.get("schema_version", SCHEMA_VERSION)) is int
            and fields.get("schema_version", SCHEMA_VERSION) == SCHEMA_VERSION
            and ID.fullmatch(fields["run_id"])
            and ID.fullmatch(fields["task_id"])
            and fields["category"] in CATEGORIES
            and type(scored_at) is str
            and _is_usual(fields, fields.get("scorer", _NOBODY))
        ):
            return parse_rfc3339(scored_at)
    except (AttributeError, KeyError, TypeError):  # a field is missing, or of another type
        return None
    return None


def _is_usual(fields: Mapping[str, Any], scorer: Mapping[str, Any]) -> bool:
    source, model, name, version = fields["source"], fields.get("model", ""), scorer["name"], scorer["version"]
    score, attempt = fields.get("score"), fields.get("attempt", 1)
    return bool(
        scorer.keys() <= _SCORER
        and type(source) is type(model) is type(name) is type(version) is str
        and source
        and not source.isspace()
        and len(source) <= MAX_NAME_CHARACTERS
        and len(model) <= MAX_NAME_CHARACTERS
        and len(name) <= MAX_NAME_CHARACTERS
        and len(version) <= MAX_NAME_CHARACTERS
        and type(attempt) is int
        and 1 <= attempt <= MAX_ATTEMPT
        and (score is None or (type(score) is float and 0 <= score <= 1))
        and type(fields.get("context", "")) is type(fields.get("system", "")) is str
        and _is_text(fields["prompt"])
        and _is_text(fields["response"])
    )


def _is_text(value: Any) -> bool:
    return type(value) is str and value != "" and not value.isspace()
