"""Which rows may have a near duplicate: MinHash with locality-sensitive hashing, in Rust. The only door to `rensa`."""

from __future__ import annotations

from typing import Final

import numpy as np
import rensa
from numpy.typing import NDArray

from distillation.texts import Shingles

ROWS_PER_BAND: Final = 4
BANDS: Final = 40
SEED: Final = 20_260_301


def miss_probability(jaccard: float) -> float:
    """Return how likely a pair is overlooked whose sets are alike to this degree, from 0 to 1.

    Notes
    -----
    ``(1 - J^r)^b`` with r = 4 hashes in each of b = 40 bands: 7 · 10⁻¹⁰ at 0.8, and less above.

    References
    ----------
    J. Leskovec, A. Rajaraman, J. Ullman, "Mining of Massive Datasets", section 3.4.
    """
    return float((1 - jaccard**ROWS_PER_BAND) ** BANDS)


def has_lookalike(sets: Shingles) -> NDArray[np.bool_]:
    """Say of each row whether another one may be alike.

    Parameters
    ----------
    sets
        The rows. Not modified.

    Returns
    -------
    ndarray
        Shape (n,), bool. True for many rows that have none, and false for a row that has one with the probability of
        `miss_probability`. The same for the same sets, in whatever order the rows and their runs stand.
    """
    has_words = np.flatnonzero(sets.sizes() > 0)
    flags = np.zeros(len(sets), np.bool_)
    if len(has_words) < 2:
        return flags
    # A row without a run has no hash to add: leaving it out moves no border.
    borders = np.append(sets.starts[has_words], sets.starts[-1]).astype(np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(sets.hashes, borders, ROWS_PER_BAND * BANDS, SEED)
    lsh = rensa.RMinHashLSH(0.0, ROWS_PER_BAND * BANDS, BANDS)
    flags[has_words] = lsh.query_duplicate_flags_matrix_one_shot(matrix)
    return flags
