"""What a monitor may be told: a body → its fields, or every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from drift.audit import Direction
from drift.psi import BUCKETS, MAX_BUCKETS, MAX_EPSILON, MIN_BUCKETS
from lakehouse_site.errors import Fault, InvalidInput

MAX_NAME = 128
MAX_SECONDS = 366 * 86_400
MAX_ROWS, DEFAULT_ROWS = 20_000, 5_000
MIN_SECRET = 16
MAX_CHANNELS = 10
TARGETS = ("scores", "categories", "text_lengths", "runs", "scorer", "vector_index", "export_figures")
RUN_TARGETS = ("scores", "categories", "text_lengths", "runs")
REFERENCES = ("fixed", "rolling", "previous")
CHANNELS = ("log", "email", "webhook")
KINDS = ("sft", "preference", "kto")
# What is not cut by time has no windows to roll over.
SNAPSHOTS = ("vector_index", "export_figures")
_RUN_NAMES = ("source", "scorer_name", "scorer_version", "model")
_DIRECTIONS: tuple[Direction, ...] = ("any", "higher_is_better", "lower_is_better")
_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class MonitorFields:
    """A monitor as it was asked for, checked. Times have a zone."""

    name: str
    target: str
    selection: dict[str, str]
    reference: str
    reference_start: datetime | None
    reference_end: datetime | None
    reference_windows: int
    window_seconds: int
    interval_seconds: int
    first_window_end: datetime | None
    parameters: dict[str, Any]
    min_n: int
    consecutive: int
    cooldown_seconds: int
    channels: list[dict[str, str]]
    webhook_secret: str
    is_active: bool


FIELDS = tuple(MonitorFields.__slots__)


class _Reader:
    """Reads one object and collects what is wrong with it."""

    def __init__(self, body: Mapping[str, Any], allowed: Sequence[str], place: str, faults: list[Fault]) -> None:
        self.body, self.place, self.faults = body, place, faults
        for name in body:
            if name not in allowed:
                self.fault(str(name), "unknown_field", f"Not known here. Use {', '.join(allowed) or 'nothing'}.")

    def fault(self, name: str, code: str, detail: str) -> None:
        pointer = name.replace("~", "~0").replace("/", "~1")
        self.faults.append(Fault(f"{self.place}/{pointer}", code, detail))

    def text(self, name: str, default: Any = _MISSING, *, most: int = 256) -> str:
        value = self.body.get(name, default)
        if value is _MISSING:
            self.fault(name, "required", "This field is needed.")
            return ""
        if not isinstance(value, str) or len(value) > most or "\0" in value or (default is _MISSING and not value):
            self.fault(name, "text", f"Expected text of at most {most} characters.")
            return ""
        return value

    def choice(self, name: str, choices: Sequence[str], default: Any = _MISSING) -> str:
        value = self.body.get(name, default)
        if value is _MISSING or value not in choices:
            self.fault(name, "choice", f"Expected one of {', '.join(choices)}.")
            return str(choices[0])
        return str(value)

    def whole(self, name: str, low: int, high: int, default: Any = _MISSING) -> int:
        value = self.body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fault(name, "range", f"Expected a whole number from {low} to {high}.")
            return low
        return value

    def number(self, name: str, low: float, high: float) -> float:
        value = self.body[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
            self.fault(name, "range", f"Expected a number above {low} and at most {high}.")
            return high
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.body.get(name, default)
        if not isinstance(value, bool):
            self.fault(name, "flag", "Expected true or false.")
            return default
        return value

    def moment(self, name: str) -> datetime | None:
        value = self.body.get(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fault(name, "time", "Expected a time with its zone, for example 2026-01-31T00:00:00Z.")
            return None
        return moment

    def part(self, name: str, allowed: Sequence[str]) -> _Reader:
        value = self.body.get(name, {})
        if not isinstance(value, dict):
            self.fault(name, "object", "Expected an object.")
            value = {}
        return _Reader(value, allowed, f"{self.place}/{name}", self.faults)


def parse_monitor(body: object) -> MonitorFields:
    """Return the fields of a monitor from a body.

    Raises
    ------
    InvalidInput
        With every fault and its place.
    """
    if not isinstance(body, dict):
        raise InvalidInput.at("", "object", "Expected an object that describes a monitor.")
    faults: list[Fault] = []
    read = _Reader(body, FIELDS, "", faults)
    target = read.choice("target", TARGETS)
    channels = _channels(read)
    window = read.whole("window_seconds", 1, MAX_SECONDS)
    fields = MonitorFields(
        name=read.text("name", most=MAX_NAME),
        target=target,
        selection=_selection(read, target),
        reference=read.choice("reference", REFERENCES, "previous" if target in SNAPSHOTS else "rolling"),
        reference_start=read.moment("reference_start"),
        reference_end=read.moment("reference_end"),
        reference_windows=read.whole("reference_windows", 1, 366, 7),
        window_seconds=window,
        interval_seconds=read.whole("interval_seconds", 1, MAX_SECONDS, window),
        first_window_end=read.moment("first_window_end"),
        parameters=_parameters(read, target),
        min_n=read.whole("min_n", 2, 10**9, 30),
        consecutive=read.whole("consecutive", 1, 100, 1),
        cooldown_seconds=read.whole("cooldown_seconds", 0, MAX_SECONDS, 0),
        channels=channels,
        webhook_secret=read.text("webhook_secret", "", most=256),
        is_active=read.flag("is_active", default=True),
    )
    _check_together(read, fields)
    if faults:
        raise InvalidInput(faults)
    return fields


def _selection(read: _Reader, target: str) -> dict[str, str]:
    if target == "vector_index":
        return {"index": read.part("selection", ("index",)).text("index")}
    if target == "export_figures":
        part = read.part("selection", ("kind", "export_id"))
        chosen = {"kind": part.choice("kind", KINDS)}
        return chosen | ({"export_id": part.text("export_id", most=64)} if "export_id" in part.body else {})
    part = read.part("selection", _RUN_NAMES)
    return {name: part.text(name) for name in _RUN_NAMES if name in part.body}


def _parameters(read: _Reader, target: str) -> dict[str, Any]:
    if target == "export_figures":
        return _audit_parameters(read.part("parameters", ("warn", "alert", "directions")))
    if target == "vector_index":
        part = read.part("parameters", ("rows", "permutations", "mmd", "seed"))
        return {
            "rows": part.whole("rows", 100, MAX_ROWS, DEFAULT_ROWS),
            "permutations": part.whole("permutations", 99, 9_999, 199),
            "mmd": part.flag("mmd", default=True),
            "seed": part.whole("seed", 0, 2**31, 0),
        }
    part = read.part("parameters", ("buckets", "epsilon", "binning", "alpha"))
    return {
        "buckets": part.whole("buckets", MIN_BUCKETS, MAX_BUCKETS, BUCKETS),
        "binning": part.choice("binning", ("equal_width", "quantile"), "equal_width"),
        **({"epsilon": part.number("epsilon", 0, MAX_EPSILON)} if "epsilon" in part.body else {}),
        **({"alpha": part.number("alpha", 0, 0.5)} if "alpha" in part.body else {}),
    }


def _audit_parameters(part: _Reader) -> dict[str, Any]:
    chosen: dict[str, Any] = {name: part.number(name, 0, 1e6) for name in ("warn", "alert") if name in part.body}
    if not chosen.get("warn", 0.10) <= chosen.get("alert", 0.25):
        part.fault("alert", "range", "It has to be at least warn.")
    directions = part.body.get("directions", {})
    if not isinstance(directions, dict) or not set(map(str, directions.values())) <= set(_DIRECTIONS):
        part.fault("directions", "choice", f"Expected metric → one of {', '.join(_DIRECTIONS)}.")
        return chosen
    return chosen | ({"directions": directions} if directions else {})


def _channels(read: _Reader) -> list[dict[str, str]]:
    value = read.body.get("channels", [{"kind": "log"}])
    if not isinstance(value, list) or len(value) > MAX_CHANNELS or not all(isinstance(one, dict) for one in value):
        read.fault("channels", "list", f"Expected a list of at most {MAX_CHANNELS} objects.")
        return []
    found = []
    for number, one in enumerate(value):
        part = _Reader(one, ("kind", "address"), f"{read.place}/channels/{number}", read.faults)
        kind = part.choice("kind", CHANNELS)
        address = "" if kind == "log" else part.text("address", most=1024)
        if kind == "email" and address and ("@" not in address or any(mark in address for mark in " \r\n,")):
            part.fault("address", "email", "Expected one e-mail address.")
        if kind == "webhook" and address and not is_web_address(address):
            part.fault("address", "url", "Expected an http:// or https:// address without user and password.")
        found.append({"kind": kind, "address": address})
    if len({tuple(one.items()) for one in found}) < len(found):
        read.fault("channels", "duplicate", "A channel stands there twice.")
    return found


def is_web_address(text: str) -> bool:
    """Say whether it is an address a webhook may have; where its name leads is looked at when it is called."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and " " not in text
    return (
        plain and parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and port != 0
    )


def _check_together(read: _Reader, fields: MonitorFields) -> None:
    if fields.target in SNAPSHOTS and fields.reference == "rolling":
        read.fault("reference", "choice", "This target has no past windows: use fixed or previous.")
    times = (fields.reference_start, fields.reference_end)
    if fields.reference == "fixed" and fields.target not in SNAPSHOTS:
        if None in times:
            read.fault("reference_start", "required", "A fixed reference needs reference_start and reference_end.")
    elif any(times):
        read.fault("reference_start", "not_used", "Only a fixed reference of runs has a start and an end.")
    if times[0] is not None and times[1] is not None and times[0] >= times[1]:
        read.fault("reference_end", "range", "It has to be after reference_start.")
    has_webhook = any(channel["kind"] == "webhook" for channel in fields.channels)
    if has_webhook and len(fields.webhook_secret) < MIN_SECRET:
        detail = f"A webhook is signed with this secret: at least {MIN_SECRET} characters."
        read.fault("webhook_secret", "required", detail)
