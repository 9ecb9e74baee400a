"""The firewall: which categories may stand where in a training set. The only module that knows.

There is no flag, setting or argument that opens it. `include_partial` is not one: what it lets in, partially accepted
runs, was never behind the firewall.
"""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """A scorer's verdict on a run."""

    ACCEPTED = "accepted"
    PARTIALLY_ACCEPTED = "partially_accepted"
    REJECTED = "rejected"
    NEEDS_HUMAN_REVIEW = "needs_human_review"


class Role(StrEnum):
    """What a text is in a training set."""

    SFT = "sft"
    CHOSEN = "chosen"
    KTO_TRUE = "kto_true"
    REJECTED = "rejected"
    KTO_FALSE = "kto_false"


SFT_ALLOWED = frozenset({Category.ACCEPTED.value, Category.PARTIALLY_ACCEPTED.value})
SFT_NEVER = frozenset({Category.REJECTED.value, Category.NEEDS_HUMAN_REVIEW.value})

POSITIVE_ROLES = frozenset({Role.SFT.value, Role.CHOSEN.value, Role.KTO_TRUE.value})
NEGATIVE_ROLES = frozenset({Role.REJECTED.value, Role.KTO_FALSE.value})


def is_sft_never(category: str) -> bool:
    """Say whether text of a run of this category may never be trained towards; an unknown category may not."""
    return category not in SFT_ALLOWED


def may_stand(category: str, role: str, *, include_partial: bool) -> bool:
    """Say whether a run of this category may stand in this role. Whatever is unknown may not."""
    if role in POSITIVE_ROLES:
        return category == Category.ACCEPTED or (include_partial and category == Category.PARTIALLY_ACCEPTED)
    return role in NEGATIVE_ROLES and category == Category.REJECTED
