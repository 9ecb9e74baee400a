"""Stored evaluation sets: every export is kept clean of the active ones, whoever asks for it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from distillation.errors import EvalSetNotFound
from distillation.eval_set_files import canonical_lines, parse_eval_set
from distillation.export_request import EvalSetContent
from distillation.models import MAX_ID_LENGTH, EvalSet
from lakehouse_site.errors import InvalidInput
from vectors.transactions import run_write

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvalSetInfo:
    """A stored evaluation set without its items."""

    name: str
    sha256: str
    items: int
    is_active: bool
    created_at: datetime


def active_eval_sets() -> list[EvalSetContent]:
    """Return the sets every export uses, by name."""
    stored = EvalSet.objects.filter(is_active=True).order_by("name", "sha256")
    # Parsed as on the day they came: the hash is compared, so a set that was changed by hand is noticed.
    return sorted((_content(row) for row in stored), key=lambda found: (found.name, found.sha256))


def list_eval_sets() -> list[EvalSetInfo]:
    """Return all stored sets, retired ones too."""
    return [_info(row) for row in EvalSet.objects.defer("content").order_by("name", "created_at")]


def add_eval_set(*, content: EvalSetContent) -> EvalSetInfo:
    """Store a set and use it from now on; an earlier content of the same name is retired. Repeating it does nothing.

    Raises
    ------
    InvalidInput
        The name is empty or too long.
    """
    name = content.name
    if not name.strip() or len(name) > MAX_ID_LENGTH or "\0" in name:
        raise InvalidInput.at("/name", "length", f"A name has 1 to {MAX_ID_LENGTH} characters, and no NUL.")

    def write() -> EvalSet:
        EvalSet.objects.filter(name=name, is_active=True).exclude(sha256=content.sha256).update(is_active=False)
        text = canonical_lines(content.items).decode()
        facts = {"items": len(content.items), "content": text, "created_at": timezone.now()}
        stored, is_new = EvalSet.objects.get_or_create(name=name, sha256=content.sha256, defaults=facts)
        if not is_new and not stored.is_active:
            stored.is_active = True
            stored.save(update_fields=["is_active"])
        return stored

    stored = run_write(write)
    logger.info("evaluation set stored", extra={"eval_set": name, "items": stored.items})
    return _info(stored)


def retire_eval_set(*, name: str) -> EvalSetInfo:
    """Let exports use a set no longer; its row stays, since earlier exports name it.

    Raises
    ------
    EvalSetNotFound
        No active set has this name.
    """

    def write() -> EvalSet | None:
        stored = EvalSet.objects.select_for_update().filter(name=name, is_active=True).first()
        if stored is not None:
            stored.is_active = False
            stored.save(update_fields=["is_active"])
        return stored

    stored = run_write(write)
    if stored is None:
        raise EvalSetNotFound(f"There is no active evaluation set named {name!r}.")
    logger.info("evaluation set retired", extra={"eval_set": name})
    return _info(stored)


def _content(row: EvalSet) -> EvalSetContent:
    found = parse_eval_set(row.name, row.content.encode().splitlines())
    if found.sha256 != row.sha256:
        raise InvalidInput.at("", "damaged", f"The stored evaluation set {row.name} does not have its checksum.")
    return found


def _info(row: EvalSet) -> EvalSetInfo:
    return EvalSetInfo(row.name, row.sha256, row.items, row.is_active, row.created_at)
