"""From what a report shows one click leads to the runs behind it: addresses of the admin's list of scored runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from drift.models import DriftReport
from drift.monitor_fields import RUN_TARGETS


def bucket_links(report: DriftReport, metric: Mapping[str, Any]) -> list[str]:
    """Return an address for each bucket or category of the window's runs; none where there are no such runs."""
    result, name = metric["result"], metric["name"]
    if report.monitor.target not in RUN_TARGETS:
        return []
    if "categories" in result:
        return [_runs_of(report, {"category__exact": category}) for category in result["categories"]]
    edges: Sequence[Any] = result.get("edges") or ()
    links = [_runs_of(report, _between(name, low, high)) for low, high in pairwise(edges)]
    if links:  # the last bucket is closed
        low, high = edges[-2:]
        links[-1] = _runs_of(report, _between(name, low, high, upper="lte"))
    return links


def transition_links(result: Mapping[str, Any]) -> list[tuple[str, str, int, str]]:
    """Return before, after, how many, and the address of those runs; of many it shows the first ones."""
    runs = {(before, after): ids for before, after, ids in result.get("transition_runs") or ()}
    return [
        (before, after, count, _list({"run_id__in": ",".join(ids)}) if (ids := runs.get((before, after))) else "")
        for before, after, count in result.get("transitions") or ()
    ]


def _between(name: str, low: Any, high: Any, upper: str = "lt") -> dict[str, Any]:
    sides = {f"{name}__gte": low, f"{name}__{upper}": high}
    limits = {lookup: edge for lookup, edge in sides.items() if not isinstance(edge, str)}  # ±Infinity is no limit
    if name == "score":
        return limits
    # The others are whole numbers, and so has to be what they are compared with.
    return {
        lookup: math.floor(edge) if lookup.endswith("__lte") else math.ceil(edge) for lookup, edge in limits.items()
    }


def _runs_of(report: DriftReport, lookups: Mapping[str, Any]) -> str:
    names = {f"{name}__exact": value for name, value in report.monitor.selection.items() if value}
    window = {"scored_at__gte": report.window_start.isoformat(), "scored_at__lt": report.window_end.isoformat()}
    return _list({**names, **window, "is_disputed__exact": 0, **lookups})


def _list(lookups: Mapping[str, Any]) -> str:
    return f"{reverse('admin:distillation_scoredrun_changelist')}?{urlencode(lookups)}"
