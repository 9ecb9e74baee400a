"""An export before anything of it is written: its input, its id, and what the pipeline made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from distillation.errors import FirewallBreach, ScorerFrozen
from distillation.export_figures import Stage, funnel
from distillation.export_input import ExportInput, read_input
from distillation.export_request import EvalSetContent, ExportRequest, canary_runs, export_id
from distillation.export_writer import texts_of
from distillation.freezes import list_freezes
from distillation.pipeline import run_pipeline
from distillation.pipeline_types import Outcome, PipelineResult
from distillation.stage_book import Progress


@dataclass(frozen=True, slots=True)
class Source:
    """What an export is made of, and the id that follows from it."""

    export_id: str
    request: ExportRequest
    input: ExportInput


@dataclass(frozen=True, slots=True)
class Plan:
    """What the pipeline made of a source; the planted canaries are taken out again."""

    source: Source
    result: PipelineResult
    stages: list[Stage]
    canaries: int


def read_source(request: ExportRequest, eval_sets: Sequence[EvalSetContent]) -> Source:
    """Read everything as of one moment, with the given evaluation sets among the stored ones, each once."""
    found = read_input()
    sets = {evals.name: evals for evals in found.eval_sets}
    known = {evals.sha256 for evals in found.eval_sets}
    for evals in eval_sets:
        if evals.sha256 not in known:
            # The hits are counted by name, so two sets of one name need two.
            name = f"{evals.name}@{evals.sha256[:8]}" if evals.name in sets else evals.name
            items = tuple(replace(item, eval_set=name) for item in evals.items)
            sets[name] = EvalSetContent(name, evals.sha256, items)
            known.add(evals.sha256)
    source = replace(found, eval_sets=tuple(sets[name] for name in sorted(sets)))
    identity = export_id(request, list(source.origins.values()), source.files, source.eval_sets)
    return Source(identity, request, source)


def make_plan(source: Source, progress: Progress) -> Plan:
    """Run the pipeline over the runs and the planted canaries, and see that no run is lost and no scorer frozen.

    Raises
    ------
    FirewallBreach
        A planted canary went through.
    NotConserved
        A run has not exactly one fate.
    ScorerFrozen
        A run of a frozen scorer would be exported.
    """
    config = source.request.pipeline
    canaries = canary_runs(source.export_id, config.kind)
    items = [item for evals in source.input.eval_sets for item in evals.items]
    found = run_pipeline([*source.input.runs, *canaries], items, config, progress=progress)
    planted = {run.run_id for run in canaries}
    for decision in found.decisions:
        if decision.run_id in planted and decision.outcome != Outcome.FIREWALL_BLOCKED:
            raise FirewallBreach(f"A planted canary passed the firewall: the pipeline says {decision.outcome.value}.")
    result = replace(found, decisions=[decision for decision in found.decisions if decision.run_id not in planted])
    exported = {row.run_id for row in texts_of(result)}
    stages = funnel(result.decisions, exported - planted, len(source.input.runs))
    origins = [source.input.origins[run_id] for run_id in exported & source.input.origins.keys()]
    refuse_frozen({(origin.scorer_name, origin.scorer_version) for origin in origins})
    return Plan(source, result, stages, len(canaries))


def refuse_frozen(scorers: Iterable[tuple[str, str]]) -> None:
    """Raise `ScorerFrozen` if one of these scorers, by name and version, is frozen."""
    used = set(scorers)
    for freeze in list_freezes().filter(acknowledged_at__isnull=True):
        if (freeze.scorer_name, freeze.scorer_version) in used:
            scorer = f"{freeze.scorer_name or 'without a name'} {freeze.scorer_version}".rstrip()
            raise ScorerFrozen(
                f"The scorer {scorer} is frozen (freeze {freeze.pk}): {freeze.reason.rstrip('.')}. Look at its runs, "
                f"then acknowledge the freeze in the admin or by POST /v1/distillation/freezes/{freeze.pk}/acknowledge."
            )
