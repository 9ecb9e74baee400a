"""Why a JSON body was refused, place by place (pure). Runs only after orjson has said no."""

from __future__ import annotations

import json
import math
import re

from lakehouse_site.errors import Fault

# The standard library's parser holds the interpreter lock for the whole body, so huge ones are not looked at again.
MAX_DIAGNOSED_BYTES = 16 * 1024 * 1024
MAX_FAULTS = 1_000
_SURROGATE = re.compile("[\ud800-\udfff]")


def json_faults(body: bytes, reason: str) -> list[Fault]:
    """Return what is wrong with a body that is not valid JSON.

    Parameters
    ----------
    body
        The body as it came.
    reason
        What the strict parser said; the answer when nothing better is found.

    Returns
    -------
    list of Fault
        One per number that is not finite (``NaN``, ``Infinity``, ``1e400``) and per lone surrogate, at most
        `MAX_FAULTS`; else a single one for the whole body.
    """
    if not body.strip():
        return [Fault("", "empty_body", "The body is empty; send a JSON object.")]
    found: list[Fault] = []
    if len(body) <= MAX_DIAGNOSED_BYTES:
        try:
            found = _walk(json.loads(body.decode("utf-8")))
        except (ValueError, RecursionError):
            # Not even lenient JSON (or an integer of over 4,300 digits): the strict parser's words it is.
            found = []
    return found or [Fault("", "invalid_json", f"The body is not valid JSON: {reason}")]


def _walk(document: object) -> list[Fault]:
    """Collect faults in document order, without recursion: the nesting is the sender's choice."""
    faults: list[Fault] = []
    stack: list[tuple[str, object]] = [("", document)]
    while stack and len(faults) < MAX_FAULTS:
        pointer, value = stack.pop()
        if isinstance(value, float):
            if not math.isfinite(value):
                faults.append(Fault(pointer, "not_finite", "This is not a finite number."))
        elif isinstance(value, str):
            if _SURROGATE.search(value):
                faults.append(
                    Fault(pointer, "lone_surrogate", "This text has half of a surrogate pair (\\ud800 to \\udfff).")
                )
        elif isinstance(value, dict):
            for key in reversed(value):
                place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
                stack.append((place, value[key]))
                if _SURROGATE.search(key):
                    stack.append((place, key))
        elif isinstance(value, list):
            stack.extend((f"{pointer}/{i}", value[i]) for i in range(len(value) - 1, -1, -1))
    return faults
