"""Train, validation or test: by group, so that no text has a near copy of itself in another split."""

from __future__ import annotations

import hashlib
from typing import Final

from distillation.pipeline_types import PipelineConfig

TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
SPLITS: Final = (TRAIN, VALIDATION, TEST)
_BORDER = "\x1f"


def split_of(group: str, config: PipelineConfig) -> str:
    """Return the split of a group: a function of its name, the seed and the shares alone.

    Notes
    -----
    The first eight bytes of ``sha256(seed + U+001F + group)``, as a fraction of 2⁶⁴, are below the share of the test
    set, below that and the share of the validation set, or above. A group stays where it is when others come and go.
    """
    hashed = hashlib.sha256(f"{config.split_seed}{_BORDER}{group}".encode()).digest()
    drawn = int.from_bytes(hashed[:8], "big") / 2**64
    if drawn < config.test_share:
        return TEST
    return VALIDATION if drawn < config.test_share + config.validation_share else TRAIN
