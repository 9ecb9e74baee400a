"""One look of a monitor at one window: read both sides, compare them, and say what is worth an alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from distillation import figures
from distillation.figures import RunSelection
from drift.categorical import compute_category_drift
from drift.freezing import FreezeFacts
from drift.models import DriftMonitor, ReferenceProfile
from drift.multiple import benjamini_hochberg
from drift.profiles import NumberProfile, build_profile, compute_profile_drift
from drift.psi import ALPHA, EPSILON, MINOR, compute_distribution_drift
from drift.windows import Schedule, Window

_ORDER = ("insufficient_data", "stable", "minor", "major")
_NUMBERS: dict[str, tuple[figures.Number, ...]] = {
    "scores": ("score",),
    "text_lengths": ("prompt_characters", "response_characters"),
    "runs": ("score", "prompt_characters", "response_characters"),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One measure of a window. Those with a p-value share the risk of a false finding among them."""

    name: str
    n_reference: int
    n_current: int
    verdict: str = "insufficient_data"
    is_drift: bool = False
    p_value: float | None = None
    result: Mapping[str, object] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON knows it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a look found, and what of it is to be kept for the next ones."""

    metrics: tuple[Metric, ...]
    profiles: tuple[ReferenceProfile, ...] = ()
    freezes: tuple[FreezeFacts, ...] = ()

    @property
    def is_drift(self) -> bool:
        return any(metric.is_drift for metric in self.metrics)

    @property
    def n_reference(self) -> int:
        return max((metric.n_reference for metric in self.metrics), default=0)

    @property
    def n_current(self) -> int:
        return max((metric.n_current for metric in self.metrics), default=0)

    @property
    def verdict(self) -> str:
        """The worst tier of what drifted; large but by chance is stable."""
        if self.n_current == 0:
            return "no_data"
        said = {
            metric.verdict if metric.is_drift else min(metric.verdict, "stable", key=_ORDER.index)
            for metric in self.metrics
        }
        return max(said, key=_ORDER.index)


def schedule_of(monitor: DriftMonitor) -> Schedule:
    """Return when a monitor looks."""
    return Schedule(monitor.first_window_end, monitor.interval_seconds, monitor.window_seconds)


def reference_window(monitor: DriftMonitor, window: Window) -> Window:
    """Return the time a window is compared with."""
    if monitor.reference_start is not None and monitor.reference_end is not None:
        return Window(monitor.reference_start, monitor.reference_end)
    count = monitor.reference_windows if monitor.reference == DriftMonitor.Reference.ROLLING else 1
    return schedule_of(monitor).before(window, count)


def runs_of(monitor: DriftMonitor, window: Window) -> RunSelection:
    """Return the runs of a window that a monitor looks at."""
    return RunSelection(window.start, window.end, **monitor.selection)


def measure_runs(monitor: DriftMonitor, window: Window) -> Measurement:
    """Compare numbers and categories of the runs of a window with those of the reference."""
    found = [_numbers(monitor, window, name) for name in _NUMBERS.get(monitor.target, ())]
    if monitor.target in ("categories", "runs"):
        found.append(_categories(monitor, window))
    metrics = judged_together([metric for metric, _ in found], monitor.parameters.get("alpha", ALPHA))
    return Measurement(metrics, tuple(profile for _, profile in found if profile is not None))


def judged_together(metrics: list[Metric], alpha: float) -> tuple[Metric, ...]:
    """Let of all large changes only those stand that chance, over all metrics of a look, does not explain."""
    tested = [metric for metric in metrics if metric.p_value is not None]
    stands = dict(
        zip(
            (metric.name for metric in tested),
            benjamini_hochberg([metric.p_value for metric in tested if metric.p_value is not None], alpha),
            strict=True,
        )
    )
    return tuple(
        replace(metric, is_drift=cast(float, metric.result["psi"]) >= MINOR and stands[metric.name])
        if metric.name in stands
        else metric
        for metric in metrics
    )


def _numbers(monitor: DriftMonitor, window: Window, name: figures.Number) -> tuple[Metric, ReferenceProfile | None]:
    current = figures.run_numbers(field=name, selection=runs_of(monitor, window))
    options = monitor.parameters
    epsilon, alpha = options.get("epsilon", EPSILON), options.get("alpha", ALPHA)
    if monitor.reference == DriftMonitor.Reference.FIXED:
        profile, new = _number_profile(monitor, window, name)
        found = compute_profile_drift(profile, current, epsilon=epsilon, alpha=alpha)
    else:
        new = None
        before = figures.run_numbers(field=name, selection=runs_of(monitor, reference_window(monitor, window)))
        found = compute_distribution_drift(
            before, current, buckets=options["buckets"], binning=options["binning"], epsilon=epsilon, alpha=alpha
        )
    metric = Metric(name, found.n_reference, found.n_current, result=found.to_dict())
    if min(found.n_reference, found.n_current) < monitor.min_n:
        return metric, new
    return replace(metric, verdict=found.verdict, p_value=found.p_value), new


def _number_profile(
    monitor: DriftMonitor, window: Window, name: figures.Number
) -> tuple[NumberProfile, ReferenceProfile | None]:
    stored = monitor.profiles.filter(metric=name).first()
    if stored is not None:
        facts = {"edges": stored.edges, "counts": stored.counts, "n": stored.n, "missing": stored.missing}
        return NumberProfile.from_dict(facts), None
    values: NDArray[np.float64] = figures.run_numbers(
        field=name, selection=runs_of(monitor, reference_window(monitor, window))
    )
    profile = build_profile(values, buckets=monitor.parameters["buckets"], binning=monitor.parameters["binning"])
    # An empty reference may fill yet: it is not kept.
    kept = _profile(
        monitor, name, edges=list(profile.edges), counts=list(profile.counts), n=profile.n, missing=profile.missing
    )
    return profile, kept if profile.n else None


def _categories(monitor: DriftMonitor, window: Window) -> tuple[Metric, ReferenceProfile | None]:
    current = figures.category_counts(selection=runs_of(monitor, window))
    stored = monitor.profiles.filter(metric="category").first()
    new = None
    if stored is not None:
        before = dict(stored.counts)
    else:
        before = figures.category_counts(selection=runs_of(monitor, reference_window(monitor, window)))
        if monitor.reference == DriftMonitor.Reference.FIXED and before:
            new = _profile(monitor, "category", counts=before, n=sum(before.values()))
    options = monitor.parameters
    found = compute_category_drift(
        before, current, epsilon=options.get("epsilon", EPSILON), alpha=options.get("alpha", ALPHA)
    )
    metric = Metric("category", found.n_reference, found.n_current, result=found.to_dict())
    if min(found.n_reference, found.n_current) < monitor.min_n:
        return metric, new
    return replace(metric, verdict=found.verdict, p_value=found.p_value), new


def _profile(monitor: DriftMonitor, metric: str, **facts: Any) -> ReferenceProfile:
    return ReferenceProfile(monitor=monitor, metric=metric, **facts)
