"""What a row of a training set looks like in each format: the trainers' documented keys, and no others.

How texts become turns, the same in every format:

* The context stands before the instruction in the user's turn, with a blank line between them; Alpaca has a field of
  its own for it (`input`).
* A chat keeps its earlier turns. Neighbours of the same role are joined with a blank line, and an assistant's turn
  that nobody asked for goes into the user's turn after it: chat templates and loaders insist on user, assistant, user.
* The system prompt is the first message. Where a format has a column for it (Alpaca, ShareGPT), every row of the export
  has the column as soon as one row has a system prompt, so that all splits have the same columns.
* Plain text (`prompt_completion`, the instruction of Alpaca) has no turns: an earlier conversation is written with
  ``User:`` and ``Assistant:``. A plain prompt ends with a blank line, since the completion follows right behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TypeAlias

from distillation.pipeline_types import Json, Pair, Row, Sample, Turn

TrainingRow: TypeAlias = "dict[str, Json]"


class Format(StrEnum):
    """The form of the rows."""

    MESSAGES = "messages"
    PROMPT_COMPLETION = "prompt_completion"
    PROMPT_COMPLETION_MESSAGES = "prompt_completion_messages"
    ALPACA = "alpaca"
    SHAREGPT = "sharegpt"
    PREFERENCE = "preference"
    KTO = "kto"


FORMATS_OF_KIND: dict[str, tuple[str, ...]] = {
    "sft": (
        Format.MESSAGES.value,
        Format.PROMPT_COMPLETION.value,
        Format.PROMPT_COMPLETION_MESSAGES.value,
        Format.ALPACA.value,
        Format.SHAREGPT.value,
    ),
    "preference": (Format.PREFERENCE.value,),
    "kto": (Format.KTO.value,),
}
TEMPLATES_VERSION = 1
"""Raised when the same sample would give another row: it is part of the export id."""

_SHAREGPT_NAMES = {"system": "system", "user": "human", "assistant": "gpt"}
_SPOKEN_NAMES = {"user": "User", "assistant": "Assistant"}
_GAP = "\n\n"


def needs_system_column(samples: Iterable[Sample]) -> bool:
    """Say whether an export of these samples has a column for system prompts, where its format has one."""
    return any(sample.system.strip() for sample in samples)


def row_of(row: Row, format_name: str, *, system_column: bool) -> TrainingRow:
    """Return a row of an SFT or KTO set.

    Parameters
    ----------
    row
        What the pipeline gave.
    format_name
        A `Format` but `preference`.
    system_column
        Of `needs_system_column` over all rows of the export.

    Raises
    ------
    KeyError
        The format is not one of single rows.
    """
    return _RENDERERS[format_name](row, system_column)


def preference_row_of(pair: Pair) -> TrainingRow:
    """Return a row of a preference set in TRL's conversational form; the prompt is that of the chosen side."""
    return {
        "prompt": _messages(prompt_turns(pair.chosen.sample)),
        "chosen": _messages([Turn("assistant", pair.chosen.sample.response)]),
        "rejected": _messages([Turn("assistant", pair.rejected.sample.response)]),
    }


def prompt_turns(sample: Sample) -> list[Turn]:
    """Return system prompt, earlier turns and instruction as turns that alternate and end with the user."""
    question = Turn("user", _joined(sample.context, sample.instruction))
    turns = _alternating([*sample.turns, question])
    return [Turn("system", sample.system), *turns] if sample.system.strip() else turns


def _alternating(turns: Sequence[Turn]) -> list[Turn]:
    """Join neighbours of the same role, and lead with the user whatever came first."""
    merged: list[Turn] = []
    for turn in turns:
        if not turn.content.strip():
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        if merged and merged[-1].role == role:
            merged[-1] = Turn(role, _joined(merged[-1].content, turn.content))
        else:
            merged.append(Turn(role, turn.content))
    if merged[0].role == "assistant":  # the question comes last, so there is always a user's turn behind it
        merged[:2] = [Turn("user", _joined(merged[0].content, merged[1].content))]
    return merged


def _joined(*texts: str) -> str:
    return _GAP.join(text for text in texts if text.strip())


def _messages(turns: Iterable[Turn]) -> list[Json]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _spoken(turns: Iterable[Turn]) -> str:
    """Write a conversation down as plain text; without earlier turns it is just the question."""
    turns = list(turns)
    if len(turns) == 1:
        return turns[0].content
    return _GAP.join(f"{_SPOKEN_NAMES[turn.role]}: {turn.content}" for turn in turns)


def _as_messages(row: Row, system_column: bool) -> TrainingRow:
    return {"messages": _messages([*prompt_turns(row.sample), Turn("assistant", row.sample.response)])}


def _as_prompt_completion(row: Row, system_column: bool) -> TrainingRow:
    turns = prompt_turns(row.sample)
    system = turns.pop(0).content if turns[0].role == "system" else ""
    prompt = _joined(system, _spoken(turns))
    cue = f"{_GAP}Assistant: " if len(turns) > 1 else _GAP
    return {"prompt": prompt + cue, "completion": row.sample.response}


def _as_prompt_completion_messages(row: Row, system_column: bool) -> TrainingRow:
    answer = _messages([Turn("assistant", row.sample.response)])
    return {"prompt": _messages(prompt_turns(row.sample)), "completion": answer}


def _as_alpaca(row: Row, system_column: bool) -> TrainingRow:
    sample = row.sample
    turns = _alternating([*sample.turns, Turn("user", sample.instruction)])
    columns: TrainingRow = {"instruction": _spoken(turns), "input": sample.context, "output": sample.response}
    return columns | {"system": sample.system} if system_column else columns


def _as_sharegpt(row: Row, system_column: bool) -> TrainingRow:
    turns = [turn for turn in prompt_turns(row.sample) if turn.role != "system"]
    turns.append(Turn("assistant", row.sample.response))
    said: list[Json] = [{"from": _SHAREGPT_NAMES[turn.role], "value": turn.content} for turn in turns]
    columns: TrainingRow = {"conversations": said}
    return columns | {"system": row.sample.system} if system_column else columns


def _as_kto(row: Row, system_column: bool) -> TrainingRow:
    return {**_as_prompt_completion_messages(row, system_column), "label": row.role == "kto_true"}


_RENDERERS: dict[str, Callable[[Row, bool], TrainingRow]] = {
    Format.MESSAGES: _as_messages,
    Format.PROMPT_COMPLETION: _as_prompt_completion,
    Format.PROMPT_COMPLETION_MESSAGES: _as_prompt_completion_messages,
    Format.ALPACA: _as_alpaca,
    Format.SHAREGPT: _as_sharegpt,
    Format.KTO: _as_kto,
}
