"""A scored run → system, earlier turns, context, instruction, response. How is decided by the run's `source`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from distillation.pipeline_types import Json, Sample, Turn

Template: TypeAlias = Callable[[Mapping[str, Json]], Sample | None]
"""Reads the parsed line of a run; None when it holds no question or no answer."""


class NotText(ValueError):
    """A field that goes into a training text is neither a string nor null."""

    def __init__(self, name: str) -> None:
        super().__init__(f"`{name}` is no text")
        self.name = name


def plain_template(content: Mapping[str, Json]) -> Sample | None:
    """Take prompt, context and response as they are, or the last user turn of `messages` and the answer to it.

    Parameters
    ----------
    content
        A valid line. Not modified.

    Returns
    -------
    Sample or None
        None for a conversation without a user turn, or which does not end with an assistant turn. What stands between
        the last user turn and the final answer is neither question nor answer, and is left out.

    Raises
    ------
    NotText
        `context` or `system`, which ingestion does not look into, is not a text.
    """
    messages = content.get("messages")
    system, context = _text(content, "system"), _text(content, "context")
    if not isinstance(messages, list):
        return Sample(system, (), context, _text(content, "prompt"), _text(content, "response"))
    turns = [_turn(message) for message in messages]
    questions = [place for place, turn in enumerate(turns) if turn.role == "user"]
    if not questions or turns[-1].role != "assistant":
        return None
    said = [turn.content for turn in turns if turn.role == "system" and turn.content != system]
    earlier = tuple(turn for turn in turns[: questions[-1]] if turn.role != "system")
    system = "\n\n".join([system, *said] if system else said)
    return Sample(system, earlier, context, turns[questions[-1]].content, turns[-1].content)


TEMPLATES: Mapping[str, Template] = {}
"""Source → its template. A source that is not named here has the plain one."""


def synthesise(
    source: str, content: Mapping[str, Json], templates: Mapping[str, Template] = TEMPLATES
) -> Sample | None:
    """Return the texts of a run, or None when it has no question or no answer.

    Raises
    ------
    NotText
        A field that should be one is not a text.
    """
    return templates.get(source, plain_template)(content)


def _text(content: Mapping[str, Json], name: str) -> str:
    value = content.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotText(name)
    return value


def _turn(message: Json) -> Turn:
    if not isinstance(message, dict):
        raise NotText("messages")
    return Turn(_text(message, "role"), _text(message, "content"))
