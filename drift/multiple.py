"""Several tests at once: how many of their findings would be chance."""

from __future__ import annotations

from collections.abc import Sequence


def benjamini_hochberg(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Say of each test whether it stands when the share of false findings among all is held at `alpha`.

    Parameters
    ----------
    p_values
        Each 0 to 1, in any order.
    alpha
        Between 0 and 1.

    Returns
    -------
    list of bool
        In the order of `p_values`. With one test: p <= alpha.

    References
    ----------
    Benjamini and Hochberg (1995), Controlling the false discovery rate.
    """
    total = len(p_values)
    ordered = sorted(p_values)
    limit = max((p for rank, p in enumerate(ordered, start=1) if p <= alpha * rank / total), default=-1.0)
    return [p <= limit for p in p_values]
