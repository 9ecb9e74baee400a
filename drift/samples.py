"""Numbers as they come, made an array of finite ones; what is dropped is counted."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Values: TypeAlias = Sequence[float | int | None] | npt.NDArray[np.generic]

_EXPECTED = "Expected a sequence or a one-dimensional array of numbers"


@dataclass(frozen=True, slots=True)
class Sample:
    """The finite values of a side, and how many others there were."""

    values: Floats
    nan: int
    inf: int

    @property
    def dropped(self) -> dict[str, int]:
        """The counts by kind; a missing value counts as NaN."""
        return {"nan": self.nan, "inf": self.inf}


def read_sample(values: Values, side: str) -> Sample:
    """Return the finite numbers of a side.

    Parameters
    ----------
    values
        Shape ``(n,)``: a sequence or array of numbers, also None, NaN and infinite ones. Not changed. An integer
        beyond the range of floats counts as infinite.
    side
        Its name, for errors.

    Raises
    ------
    TypeError
        It holds something that is no number, text above all, or is not one-dimensional.
    """
    if isinstance(values, str | bytes):
        raise TypeError(f"{side}: {_EXPECTED}, got text.")
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise TypeError(f"{side}: {_EXPECTED}, got rows of different lengths.") from error
    if array.ndim != 1:
        raise TypeError(f"{side}: {_EXPECTED}, got {array.ndim} dimensions.")
    if array.size == 0:
        return Sample(np.empty(0), 0, 0)
    floats = _floats(array, side)
    finite = np.isfinite(floats)
    if finite.all():
        return Sample(floats, 0, 0)
    nan = int(np.isnan(floats).sum())
    kept = floats[finite]
    return Sample(kept, nan, floats.size - kept.size - nan)


def _floats(array: npt.NDArray[np.generic], side: str) -> Floats:
    if array.dtype.kind in "biuf":
        with np.errstate(over="ignore"):  # longdouble beyond float64 becomes infinite, and is counted so
            return array.astype(np.float64, copy=False)
    if array.dtype.kind != "O":
        raise TypeError(f"{side}: {_EXPECTED}, got an array of {array.dtype}.")
    return np.array([_float(value, place, side) for place, value in enumerate(array.tolist())], dtype=np.float64)


def _float(value: object, place: int, side: str) -> float:
    if value is None:
        return np.nan
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{side}: {_EXPECTED}, got {type(value).__name__} at position {place}.")
    try:
        return float(value)
    except OverflowError:
        return np.inf
