"""When drift of a scorer stops exports."""

from __future__ import annotations

from typing import TypedDict

from drift.categorical import ScorerDrift


class FreezeFacts(TypedDict):
    """What `distillation.freezes.freeze_scorer` is told."""

    scorer_name: str
    scorer_version: str
    compared_with: str
    reason: str
    firewall_opened: tuple[str, ...]
    figures: dict[str, float]


def freeze_facts(found: ScorerDrift, name: str, version: str, *, compared_with: str = "") -> FreezeFacts | None:
    """Return what is to be frozen: a version that judges otherwise to a major degree, or opens the firewall."""
    if found.verdict != "major" and not found.firewall_opened:
        return None
    return {
        "scorer_name": name,
        "scorer_version": version,
        "compared_with": compared_with,
        "reason": (
            f"Of {found.n_common} answers that were judged twice, {found.changed} changed ({found.change_rate:.1%}), "
            f"and {len(found.firewall_opened)} crossed the firewall into what may be trained towards."
        ),
        "firewall_opened": found.firewall_opened,
        "figures": {"n_common": found.n_common, "changed": found.changed, "change_rate": found.change_rate},
    }
