"""Whether a trainer would take a row of a training set, by what the documentation of each format says.

TRL (dataset formats: conversational `messages`, prompt-completion, preference, unpaired preference), LLaMA-Factory
(alpaca and sharegpt: rows with other turns than human, gpt, human, gpt, … are dropped), axolotl (an empty turn or a
conversation without an answer is dropped). A row that one of them would drop, or choke on, is at fault here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distillation.formats import Format
from distillation.pipeline_types import Json

COLUMNS: dict[str, tuple[str, ...]] = {
    Format.MESSAGES: ("messages",),
    Format.PROMPT_COMPLETION: ("prompt", "completion"),
    Format.PROMPT_COMPLETION_MESSAGES: ("prompt", "completion"),
    Format.ALPACA: ("instruction", "input", "output"),
    Format.SHAREGPT: ("conversations",),
    Format.PREFERENCE: ("prompt", "chosen", "rejected"),
    Format.KTO: ("prompt", "completion", "label"),
}
SYSTEM_COLUMN_ALLOWED = frozenset({Format.ALPACA.value, Format.SHAREGPT.value})


def row_faults(row: Json, format_name: str, *, system_column: bool) -> list[str]:
    """Return what is wrong with a row, one sentence a fault; none when every trainer of the format takes it.

    Parameters
    ----------
    row
        As it was parsed from the written file.
    format_name
        A `Format`.
    system_column
        Whether the rows of this export have the column `system`.
    """
    if not isinstance(row, dict):
        return ["It is no object."]
    columns = columns_of(format_name, system_column=system_column)
    faults = [f"The column {name} is missing." for name in columns if name not in row]
    faults += [f"There is no column {name} in this format." for name in row if name not in columns]
    faults += [f"The column {name} is null." for name in columns if name in row and row[name] is None]
    return faults or _CHECKS[format_name](row)


def columns_of(format_name: str, *, system_column: bool) -> tuple[str, ...]:
    """Return the columns of a format, in order."""
    has_system = system_column and format_name in SYSTEM_COLUMN_ALLOWED
    return (*COLUMNS[format_name], "system") if has_system else COLUMNS[format_name]


def _messages(row: dict[str, Json]) -> list[str]:
    return _turn_faults(row["messages"], "messages", keys=("role", "content"), ends_with="assistant")


def _prompt_completion(row: dict[str, Json]) -> list[str]:
    return [*_text_faults(row["prompt"], "prompt"), *_text_faults(row["completion"], "completion")]


def _prompt_and_answers(*answers: str) -> Callable[[dict[str, Json]], list[str]]:
    def check(row: dict[str, Json]) -> list[str]:
        faults = _turn_faults(row["prompt"], "prompt", keys=("role", "content"), ends_with="user")
        for name in answers:
            faults += _answer_faults(row[name], name)
        return faults

    return check


def _preference(row: dict[str, Json]) -> list[str]:
    faults = _prompt_and_answers("chosen", "rejected")(row)
    if not faults and row["chosen"] == row["rejected"]:
        faults.append("chosen and rejected are the same text.")
    return faults


def _kto(row: dict[str, Json]) -> list[str]:
    faults = _prompt_and_answers("completion")(row)
    if not isinstance(row["label"], bool):
        faults.append("label is neither true nor false.")
    return faults


def _alpaca(row: dict[str, Json]) -> list[str]:
    faults = [*_text_faults(row["instruction"], "instruction"), *_text_faults(row["output"], "output")]
    return faults + [f"{name} is no string." for name in ("input", "system") if not isinstance(row.get(name, ""), str)]


def _sharegpt(row: dict[str, Json]) -> list[str]:
    faults = _turn_faults(row["conversations"], "conversations", keys=("from", "value"), ends_with="gpt")
    return faults if isinstance(row.get("system", ""), str) else [*faults, "system is no string."]


_CHECKS: dict[str, Callable[[dict[str, Json]], list[str]]] = {
    Format.MESSAGES: _messages,
    Format.PROMPT_COMPLETION: _prompt_completion,
    Format.PROMPT_COMPLETION_MESSAGES: _prompt_and_answers("completion"),
    Format.ALPACA: _alpaca,
    Format.SHAREGPT: _sharegpt,
    Format.PREFERENCE: _preference,
    Format.KTO: _kto,
}


def _text_faults(text: Json, where: str) -> list[str]:
    if not isinstance(text, str):
        return [f"{where} is no string."]
    return [] if text.strip() else [f"{where} is empty."]


def _answer_faults(turns: Json, where: str) -> list[str]:
    if not isinstance(turns, list) or len(turns) != 1:
        return [f"{where} is not a list of one message."]
    faults, roles = _read_turns(turns, where, ("role", "content"))
    return faults or ([] if roles == ["assistant"] else [f"{where} is not the assistant's."])


def _turn_faults(turns: Json, where: str, *, keys: tuple[str, str], ends_with: str) -> list[str]:
    """Check a conversation: perhaps a system prompt, then user and assistant in turn, to the end it should have."""
    if not isinstance(turns, list) or not turns:
        return [f"{where} is not a list of messages."]
    faults, roles = _read_turns(turns, where, keys)
    if faults:
        return faults
    spoken = roles[1:] if roles[0] == "system" else roles
    user, assistant = ("user", "assistant") if keys == ("role", "content") else ("human", "gpt")
    expected = [user if i % 2 == 0 else assistant for i in range(len(spoken))]
    if not spoken or spoken != expected:
        return [f"The roles in {where} are {', '.join(roles)}, not {user} and {assistant} in turn."]
    return [] if spoken[-1] == ends_with else [f"The last turn in {where} is not of {ends_with}."]


def _read_turns(turns: Sequence[Json], where: str, keys: tuple[str, str]) -> tuple[list[str], list[str]]:
    """Return the faults of single turns, and the roles."""
    faults: list[str] = []
    roles: list[str] = []
    for i, turn in enumerate(turns):
        place = f"{where}[{i}]"
        if not isinstance(turn, dict) or tuple(turn) != keys:
            faults.append(f"{place} has not just the keys {keys[0]} and {keys[1]}.")
            continue
        faults += _text_faults(turn[keys[1]], f"{place}.{keys[1]}")
        roles.append(str(turn[keys[0]]))
    return faults, roles
