"""Scorer versions whose runs no new export takes until a person has looked."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from distillation.models import ScorerFreeze
from lakehouse_site.errors import InvalidInput, NotFound
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

MAX_LISTED_RUNS = 1_000


def freeze_scorer(
    *,
    scorer_name: str,
    scorer_version: str,
    reason: str,
    compared_with: str = "",
    firewall_opened: Sequence[str] = (),
    figures: Mapping[str, float] | None = None,
) -> ScorerFreeze | None:
    """Freeze new exports of a scorer version; a version that is frozen stays so, and its first reason stands.

    Parameters
    ----------
    scorer_name, scorer_version
        As the runs have them; both may be blank.
    reason
        For the person who is to look.
    compared_with
        The version it was compared with.
    firewall_opened
        Runs that were behind the firewall before.
    figures
        What was measured.

    Returns
    -------
    ScorerFreeze or None
        The open freeze. None when a person has acknowledged these very findings: the same comparison, and no run across
        the firewall that was not among those acknowledged.
    """
    evidence = {
        "compared_with": compared_with,
        "firewall_opened": list(firewall_opened[:MAX_LISTED_RUNS]),
        "firewall_opened_count": len(firewall_opened),
        "figures": dict(figures or {}),
    }

    def work() -> tuple[ScorerFreeze | None, bool]:
        mine = ScorerFreeze.objects.filter(scorer_name=scorer_name, scorer_version=scorer_version)
        if any(
            _covers(freeze, compared_with, firewall_opened) for freeze in mine.filter(acknowledged_at__isnull=False)
        ):
            return None, False
        facts = {"reason": reason, "evidence": evidence, "frozen_at": timezone.now()}
        # The constraint lets one through when two processes find the same at once.
        return ScorerFreeze.objects.get_or_create(
            scorer_name=scorer_name, scorer_version=scorer_version, acknowledged_at=None, defaults=facts
        )

    freeze, is_new = run_write(work)
    if is_new:
        logger.warning("scorer frozen", extra={"scorer": scorer_name, "version": scorer_version, "reason": reason})
    return freeze


def _covers(freeze: ScorerFreeze, compared_with: str, firewall_opened: Sequence[str]) -> bool:
    known = freeze.evidence
    return known.get("compared_with") == compared_with and set(firewall_opened) <= set(known.get("firewall_opened", ()))


def frozen_scorers() -> list[tuple[str, str]]:
    """Return name and version of every scorer that is frozen now."""
    return list(
        ScorerFreeze.objects.filter(acknowledged_at__isnull=True)
        .values_list("scorer_name", "scorer_version")
        .order_by("pk")
    )


def list_freezes() -> QuerySet[ScorerFreeze]:
    """Return all freezes, the latest first."""
    return ScorerFreeze.objects.order_by("-frozen_at", "-pk")


def acknowledge_freeze(*, freeze_id: int, by: str, note: str = "") -> ScorerFreeze:
    """Let exports take the runs of a scorer version again; one that is acknowledged stays as it is.

    Raises
    ------
    NotFound
        There is no such freeze.
    InvalidInput
        Nobody is named.
    """
    if not by.strip():
        raise InvalidInput.at("/by", "required", "Say who has looked at it.")

    def work() -> ScorerFreeze:
        freeze = ScorerFreeze.objects.select_for_update().filter(pk=freeze_id).first()
        if freeze is None:
            raise NotFound(f"There is no freeze with the id {freeze_id}. GET /v1/distillation/freezes lists them.")
        if freeze.acknowledged_at is None:
            freeze.acknowledged_at, freeze.acknowledged_by, freeze.note = timezone.now(), by.strip()[:256], note
            freeze.save(update_fields=["acknowledged_at", "acknowledged_by", "note"])
            logger.info("freeze acknowledged", extra={"freeze": freeze_id, "by": by})
        return freeze

    return run_write(work)


def describe_freeze(freeze: ScorerFreeze) -> dict[str, Any]:
    """Return what is told of a freeze."""
    names = ("id", "scorer_name", "scorer_version", "reason", "evidence", "frozen_at")
    return {name: getattr(freeze, name) for name in (*names, "acknowledged_at", "acknowledged_by", "note")}
