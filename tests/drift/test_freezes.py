"""Freezes of scorer versions as drift makes them."""

from __future__ import annotations

import pytest

from distillation.freezes import acknowledge_freeze, freeze_scorer, frozen_scorers, list_freezes
from distillation.models import ScorerFreeze
from lakehouse_site.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db(transaction=True)


def freeze(*opened: str, compared_with: str = "1") -> ScorerFreeze | None:
    return freeze_scorer(
        scorer_name="judge", scorer_version="2", reason="why", compared_with=compared_with, firewall_opened=opened
    )


def test_a_frozen_version_stays_frozen_with_its_first_reason() -> None:
    first, second = freeze("a"), freeze("a", "b")

    assert first is not None
    assert second == first
    assert frozen_scorers() == [("judge", "2")]
    assert list_freezes().get().evidence["firewall_opened"] == ["a"]


@pytest.mark.parametrize(
    ("opened", "compared_with", "is_frozen"),
    [(("a", "b"), "1", False), (("a",), "1", False), (("a", "c"), "1", True), (("a",), "0", True)],
)
def test_only_what_nobody_has_looked_at_freezes_again(
    opened: tuple[str, ...], compared_with: str, is_frozen: bool
) -> None:
    first = freeze("a", "b")
    assert first is not None
    acknowledge_freeze(freeze_id=first.pk, by="Ada", note="meant so")

    again = freeze(*opened, compared_with=compared_with)

    assert (again is not None) == is_frozen
    assert bool(frozen_scorers()) == is_frozen


def test_acknowledging_twice_keeps_the_first_name() -> None:
    first = freeze("a")
    assert first is not None
    acknowledge_freeze(freeze_id=first.pk, by="Ada")

    assert acknowledge_freeze(freeze_id=first.pk, by="Bob").acknowledged_by == "Ada"


def test_an_acknowledgement_needs_a_freeze_and_a_name() -> None:
    first = freeze("a")
    assert first is not None

    with pytest.raises(InvalidInput, match="Say who"):
        acknowledge_freeze(freeze_id=first.pk, by=" ")
    with pytest.raises(NotFound, match="no freeze with the id 0"):
        acknowledge_freeze(freeze_id=0, by="Ada")
    assert frozen_scorers() == [("judge", "2")]
