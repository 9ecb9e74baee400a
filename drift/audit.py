"""The audit table: the key figures of now beside those of a baseline, the worst first."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

Direction = Literal["any", "higher_is_better", "lower_is_better"]
Status = Literal["ok", "improved", "warn", "alert", "new", "missing", "invalid"]
Verdict = Literal["stable", "minor", "major"]
Number = int | float

WARN = 0.10
ALERT = 0.25
_SEVERITY: dict[Status, int] = {"alert": 0, "missing": 0, "invalid": 0, "warn": 1, "new": 2, "improved": 3, "ok": 4}


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One metric. `relative` is the change as a share of the baseline; none where there is no such ratio."""

    metric: str
    baseline: Number | None
    current: Number | None
    delta: Number | None
    relative: float | None
    direction: Direction
    status: Status


@dataclass(frozen=True, slots=True)
class AuditTable:
    """All metrics of both sides, by severity, then the size of the change, then name."""

    rows: tuple[AuditRow, ...]
    verdict: Verdict

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON knows it."""
        return {"rows": [asdict(row) for row in self.rows], "verdict": self.verdict}


def build_audit_drift_table(
    baseline: Mapping[str, object],
    current: Mapping[str, object],
    *,
    directions: Mapping[str, Direction] | None = None,
    warn: float = WARN,
    alert: float = ALERT,
) -> AuditTable:
    """Compare the figures of now with those of a baseline, metric by metric.

    Parameters
    ----------
    baseline, current
        Metric → finite number. Anything else (None, NaN, infinite, text, a truth value) makes the row ``invalid``.
    directions
        Metric → which way is better, ``any`` where it is not said: then a change either way counts.
    warn, alert
        Relative changes from which a row warns or alerts; 0 < warn <= alert.

    Returns
    -------
    AuditTable
        Verdict ``major`` if a row is alert, missing or invalid, else ``minor`` if one warns, else ``stable``.

    Raises
    ------
    ValueError
        The thresholds or a direction are not what is described above.

    Notes
    -----
    relative = (current - baseline) / abs(baseline). From 0 to something has no ratio: it is an alert, or an
    improvement where the direction says so. A change for the better is ``improved`` from ``warn`` on.
    """
    if not 0 < warn <= alert or not math.isfinite(alert):
        raise ValueError(f"Expected 0 < warn <= alert, got warn={warn} and alert={alert}.")
    wanted = dict(directions or {})
    for metric, direction in wanted.items():
        if direction not in get_args(Direction):
            raise ValueError(
                f"The direction of {metric!r} is {direction!r}: use one of {', '.join(get_args(Direction))}."
            )
    metrics = baseline.keys() | current.keys()
    rows = [_row(metric, baseline, current, wanted.get(metric, "any"), warn, alert) for metric in metrics]
    rows.sort(key=_place)
    severities = {_SEVERITY[row.status] for row in rows}
    verdict: Verdict = "major" if 0 in severities else "minor" if 1 in severities else "stable"
    return AuditTable(tuple(rows), verdict)


def _row(
    metric: str,
    baseline: Mapping[str, object],
    current: Mapping[str, object],
    direction: Direction,
    warn: float,
    alert: float,
) -> AuditRow:
    before, now = _number(baseline.get(metric)), _number(current.get(metric))
    if metric not in current:
        return AuditRow(metric, before, None, None, None, direction, "missing")
    if now is None or (metric in baseline and before is None):
        return AuditRow(metric, before, now, None, None, direction, "invalid")
    if before is None:
        return AuditRow(metric, None, now, None, None, direction, "new")
    relative = _relative(before, now)
    delta = now - before
    status = _status(before, now, relative, direction, warn, alert)
    return AuditRow(metric, before, now, delta if math.isfinite(delta) else None, relative, direction, status)


def _number(value: object) -> Number | None:
    """Return a finite number as int or float, numpy's too; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = int(value) if isinstance(value, numbers.Integral) else float(value)
        return number if math.isfinite(number) else None
    except OverflowError:  # an integer beyond the range of floats
        return None


def _relative(before: Number, now: Number) -> float | None:
    if before == 0:
        return 0.0 if now == 0 else None
    relative = (now - before) / abs(before)
    return relative if math.isfinite(relative) else None


def _status(
    before: Number, now: Number, relative: float | None, direction: Direction, warn: float, alert: float
) -> Status:
    size = math.inf if relative is None else abs(relative)
    if size < warn:
        return "ok"
    if (direction == "higher_is_better" and now > before) or (direction == "lower_is_better" and now < before):
        return "improved"
    return "alert" if size >= alert else "warn"


def _place(row: AuditRow) -> tuple[int, float, str]:
    return _SEVERITY[row.status], -math.inf if row.relative is None else -abs(row.relative), row.metric
