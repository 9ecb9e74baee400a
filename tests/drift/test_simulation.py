"""No cry of wolf, and no sleep: the shares of alerts in thousands of drawn samples, and what the documentation says."""

from __future__ import annotations

import math
import re

import pytest

from tests.drift.simulation import ROUNDS, SIZES, table
from tests.processes import ROOT

DOCUMENT = ROOT / "docs/explanation/drift-statistics.md"
TEST_ROUNDS = 150
MOST_FALSE_ALERTS = 0.02
binnings = pytest.mark.parametrize("binning", ["equal_width", "quantile"])


def documented(binning: str) -> dict[str, list[float]]:
    text = DOCUMENT.read_text()
    block = text[text.index(f"| {binning} |") :].split("\n\n")[0].splitlines()[2:]
    cells = [line.strip("|").split("|") for line in block]
    return {row[0].strip(): [float(re.findall(r"[\d.]+", cell)[0]) / 100 for cell in row[1:]] for row in cells}


@pytest.mark.slow
@binnings
def test_false_alerts_are_rare_at_every_size(binning: str) -> None:
    rows = {name: shares for name, shares in table(binning, TEST_ROUNDS).items() if name.startswith("no drift")}

    # Up to three standard errors of the simulation itself above the promise.
    most = MOST_FALSE_ALERTS + 3 * math.sqrt(MOST_FALSE_ALERTS / TEST_ROUNDS)
    assert len(rows) == 4
    assert {name: shares for name, shares in rows.items() if max(alert for alert, _ in shares) > most} == {}
    assert sum(alert for shares in rows.values() for alert, _ in shares) / (4 * len(SIZES)) <= MOST_FALSE_ALERTS


@pytest.mark.slow
@binnings
def test_the_documented_table_is_what_is_found(binning: str) -> None:
    said = documented(binning)

    for name, shares in table(binning, TEST_ROUNDS).items():
        for (alert, _), expected in zip(shares, said[name], strict=True):
            error = math.sqrt(expected * (1 - expected) * (1 / TEST_ROUNDS + 1 / ROUNDS)) + 2 / TEST_ROUNDS
            assert abs(alert - expected) <= 4 * error, name
    assert max(max(shares) for name, shares in said.items() if name.startswith("no drift")) <= MOST_FALSE_ALERTS
