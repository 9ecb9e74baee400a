"""Which tasks belong together: nothing of one may be trained on while another one measures it."""

from __future__ import annotations

from collections.abc import Sequence

from distillation.candidates import Digest
from distillation.groups import Groups
from distillation.near_duplicates import find_links
from distillation.pipeline_types import PipelineConfig
from distillation.sides import Side, prompt_shingles
from distillation.texts import joined


def group_tasks(sides: Sequence[Side], config: PipelineConfig) -> Groups[str]:
    """Link tasks by exact duplicates, near duplicates of text or prompt, and equal prompts.

    Parameters
    ----------
    sides
        Both sides of a preference or KTO set: a task is in one group, on whichever side its runs are. All rows that
        came as far as rule 9 link, also those that fell there or later.

    Notes
    -----
    The prompt is instruction, earlier turns and context; for equality also the system text.
    """
    groups: Groups[str] = Groups()
    task_of: dict[Digest, str] = {}
    rows, sets = [], []
    for side in sides:
        for one, other in side.links:
            groups.link(one, other)
        own_rows, own_sets = prompt_shingles(side, task_of, config.shingle_words)
        rows += own_rows
        sets.append(own_sets)
        for row in side.tokenised:
            prompt = side.prompts[row.run_id]
            groups.link(task_of.setdefault(prompt, row.task_id), row.task_id)
    for first, second in find_links(joined(sets), config.near_duplicate_jaccard):
        groups.link(rows[first].task_id, rows[second].task_id)
    return groups
