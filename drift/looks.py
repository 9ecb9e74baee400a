"""Looks that are no comparison of numbers: at scorer versions, at a vector index, at exports."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import numpy as np

from distillation import figures
from drift.audit import build_audit_drift_table
from drift.categorical import compute_scorer_drift
from drift.embedding import compute_embedding_drift
from drift.freezing import freeze_facts
from drift.index_rows import read_index_rows
from drift.measurements import Measurement, Metric, measure_runs, reference_window, runs_of
from drift.models import DriftMonitor, ReferenceProfile
from drift.psi import EPSILON
from drift.windows import Window

_VECTORS, _FIGURES = "vectors", "figures"
SHOWN_RUNS = 50


def measure(monitor: DriftMonitor, window: Window) -> Measurement:
    """Look at one window."""
    if monitor.target == DriftMonitor.Target.SCORER:
        return _scorers(monitor, window)
    if monitor.target == DriftMonitor.Target.VECTOR_INDEX:
        return _index(monitor)
    if monitor.target == DriftMonitor.Target.EXPORT_FIGURES:
        return _exports(monitor, window.end)
    return measure_runs(monitor, window)


def _scorers(monitor: DriftMonitor, window: Window) -> Measurement:
    """Pair answers of the reference with the same answers of the window, judged by another version of one scorer."""
    before: dict[tuple[str, str], figures.Verdict] = {}
    for verdict in figures.verdicts(selection=runs_of(monitor, reference_window(monitor, window))):
        before[verdict.scorer_name, verdict.answer] = verdict
    pairs: dict[tuple[str, str, str], list[tuple[figures.Verdict, figures.Verdict]]] = defaultdict(list)
    n_current = 0
    for verdict in figures.verdicts(selection=runs_of(monitor, window)):
        n_current += 1
        old = before.get((verdict.scorer_name, verdict.answer))
        if old is not None and old.scorer_version != verdict.scorer_version:
            pairs[verdict.scorer_name, old.scorer_version, verdict.scorer_version].append((old, verdict))
    metrics, freezes = [], []
    for (name, old_version, new_version), verdicts in sorted(pairs.items()):
        # By the run of the new verdict: that is the run an export would take.
        found = compute_scorer_drift(
            {new.run_id: old.category for old, new in verdicts},
            {new.run_id: new.category for _, new in verdicts},
            epsilon=monitor.parameters.get("epsilon", EPSILON),
        )
        metrics.append(
            Metric(
                f"{name} {old_version} → {new_version}".strip(),
                len(before),
                n_current,
                verdict=found.verdict,
                is_drift=found.verdict in ("minor", "major"),
                result=found.to_dict() | {"transition_runs": _changed_runs(verdicts)},
            )
        )
        if (freeze := freeze_facts(found, name, new_version, compared_with=old_version)) is not None:
            freezes.append(freeze)
    none = Metric("scorer", len(before), n_current)
    return Measurement(tuple(metrics) or (none,), freezes=tuple(freezes))


def _changed_runs(verdicts: list[tuple[figures.Verdict, figures.Verdict]]) -> list[tuple[str, str, list[str]]]:
    """Return the runs of each change of category, at most `SHOWN_RUNS` of one."""
    runs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for old, new in verdicts:
        # Lists of ids are addressed with commas between them.
        if (
            old.category != new.category
            and "," not in new.run_id
            and len(runs[old.category, new.category]) < SHOWN_RUNS
        ):
            runs[old.category, new.category].append(new.run_id)
    return [(*change, ids) for change, ids in sorted(runs.items())]


def _index(monitor: DriftMonitor) -> Measurement:
    options = monitor.parameters
    current = read_index_rows(name=monitor.selection["index"], most=options["rows"])
    stored = monitor.profiles.filter(metric=_VECTORS).first()
    n = len(current.rows)
    new = ReferenceProfile(
        monitor=monitor,
        metric=_VECTORS,
        vectors=current.rows.astype("<f4").tobytes(),
        dimension=current.rows.shape[1],
        n=n,
        label=f"{n} of {current.count} items of {monitor.selection['index']}",
    )
    keeps = (
        (new,)
        if n >= monitor.min_n and (stored is None or monitor.reference == DriftMonitor.Reference.PREVIOUS)
        else ()
    )
    if stored is None:
        return Measurement((Metric(_VECTORS, 0, n, result={"note": "The first look makes the baseline."}),), keeps)
    before = np.frombuffer(stored.vectors or b"", "<f4").reshape(stored.n, stored.dimension)
    found = compute_embedding_drift(
        before,
        current.rows,
        seed=options["seed"],
        permutations=options["permutations"],
        mmd=options["mmd"],
        drop_zero_rows=current.distance == "cosine",
    )
    metric = Metric(_VECTORS, found.n_reference, found.n_current, result=found.to_dict())
    if min(found.n_reference, found.n_current) < monitor.min_n:
        return Measurement((metric,), keeps)
    is_drift = found.verdict in ("minor", "major")
    judged = Metric(_VECTORS, metric.n_reference, metric.n_current, found.verdict, is_drift, None, metric.result)
    return Measurement((judged,), keeps)


def _exports(monitor: DriftMonitor, before: datetime) -> Measurement:
    kind = monitor.selection["kind"]
    latest = figures.export_figures(kind=kind, before=before)
    if not latest:
        return Measurement((Metric(_FIGURES, 0, 0),))
    current = latest[0]
    baseline, keeps = _baseline(monitor, latest)
    if baseline is None:
        result: dict[str, object] = {"note": "The first look makes the baseline.", "export": current.export_id}
        return Measurement((Metric(_FIGURES, 0, len(current.figures), result=result),), keeps)
    table = build_audit_drift_table(baseline.figures, current.figures, **monitor.parameters)
    result = table.to_dict() | {"export": current.export_id, "baseline": baseline.export_id}
    sizes = len(baseline.figures), len(current.figures)
    return Measurement((Metric(_FIGURES, *sizes, table.verdict, table.verdict == "major", None, result),), keeps)


def _baseline(
    monitor: DriftMonitor, latest: list[figures.ExportFigures]
) -> tuple[figures.ExportFigures | None, tuple[ReferenceProfile, ...]]:
    if monitor.reference == DriftMonitor.Reference.PREVIOUS:
        return (latest[1] if len(latest) > 1 else None), ()
    if export_id := monitor.selection.get("export_id"):
        (named,) = figures.export_figures(kind=monitor.selection["kind"], export_id=export_id)
        return named, ()
    stored = monitor.profiles.filter(metric=_FIGURES).first()
    if stored is not None:
        return figures.ExportFigures(stored.label, None, dict(stored.figures)), ()
    first = latest[0]
    profile = ReferenceProfile(
        monitor=monitor, metric=_FIGURES, figures=first.figures, n=len(first.figures), label=first.export_id
    )
    return None, (profile,)
