"""How well a linear classifier tells one side from the other."""

from __future__ import annotations

import numpy as np

from drift.samples import Floats

FOLDS = 5
RIDGE = 0.01
"""Weight of the penalty, as a share of the number of rows, on columns of variance 1."""


def separability(reference: Floats, current: Floats, rng: np.random.Generator) -> float | None:
    """Return the AUC of a ridge classifier on rows it has not seen, by cross-validation in five folds.

    Parameters
    ----------
    reference, current
        Shapes ``(n, dim)`` and ``(m, dim)``; not changed.

    Returns
    -------
    float or None
        0.5: not to be told apart; 1: always. None with fewer than four rows on a side.

    Notes
    -----
    Each fold is scored with its own model and ranked by itself; the answer is the mean. The Gram matrix of a training
    set is that of all rows less that of the fold, so all rows are multiplied once.
    """
    fewest = min(len(reference), len(current))
    if fewest < 4:
        return None
    folds = min(FOLDS, fewest // 2)
    rows = np.concatenate([reference, current])
    deviation = rows.std(axis=0)
    rows -= rows.mean(axis=0)
    rows /= np.where(deviation > 0, deviation, 1.0)
    # Each side weighs the same, so that its size does not set the threshold.
    side = np.concatenate([np.full(len(reference), -1.0 / len(reference)), np.full(len(current), 1.0 / len(current))])
    fold = np.concatenate([rng.permutation(len(part)) % folds for part in (reference, current)])
    grams = [rows[fold == one].T @ rows[fold == one] for one in range(folds)]
    moments = [rows[fold == one].T @ side[fold == one] for one in range(folds)]
    gram, moment = sum(grams, start=np.zeros_like(grams[0])), sum(moments, start=np.zeros_like(moments[0]))
    penalty = RIDGE * len(rows) * np.eye(rows.shape[1])
    found = []
    for one in range(folds):
        weights = np.linalg.solve(gram - grams[one] + penalty, moment - moments[one])
        mine = fold == one
        found.append(auc(rows[mine] @ weights, side[mine] > 0))
    return float(np.mean(found))


def auc(scores: Floats, is_positive: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Return the probability that a positive one scores above a negative one; a tie counts half (Mann-Whitney)."""
    negatives, positives = np.sort(scores[~is_positive]), scores[is_positive]
    below = np.searchsorted(negatives, positives, side="left") + np.searchsorted(negatives, positives, side="right")
    return float(below.sum() / (2 * negatives.size * positives.size))
