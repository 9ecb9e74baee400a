"""Pages of the documentation: their commands with what is shown to be printed, their headings, their links.

An indented block that begins with a command is run by a test; after a blank line in it stands what it prints, with
`…` for what differs from run to run.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ROOT

DOCS = ROOT / "docs"
PROGRAMS = (".venv/bin/", "PYTHONPATH=", "python ", "curl ", "make ", "git ", "head ", "printf ", "export ", "sudo ")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """A block of a page: commands one after the other, and what the last one is shown to print."""

    commands: tuple[str, ...]
    shown: str


def page(name: str) -> str:
    """Return the text of a page, named by its path under docs/."""
    return (DOCS / name).read_text()


def steps_of(text: str) -> list[Step]:
    """Return the blocks of commands of a page."""
    steps = []
    for block in indented_blocks(text):
        if block.startswith(PROGRAMS):
            commands, _, shown = block.partition("\n\n")
            if any(line.startswith(PROGRAMS) for line in shown.splitlines()):
                raise ValueError(f"A command stands where the output of another does: {shown!r}")
            steps.append(Step(tuple(split_commands(commands)), shown.strip()))
    return steps


def indented_blocks(text: str) -> list[str]:
    """Return the indented blocks outside of fences, without their indentation."""
    blocks: list[list[str]] = [[]]
    for line in _FENCE.sub("", text).splitlines():
        if line.startswith("    "):
            blocks[-1].append(line[4:])
        elif blocks[-1] and line.strip():
            blocks.append([])
        elif blocks[-1]:
            blocks[-1].append("")
    return ["\n".join(block).strip() for block in blocks if block]


def fenced_blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def split_commands(text: str) -> list[str]:
    """Return the commands of a block: lines, joined where a quote is open or a backslash ends one."""
    commands, unfinished = [], ""
    for line in text.splitlines():
        unfinished += line
        try:
            shlex.split(unfinished, comments=True)
        except ValueError:  # an open quote, or a backslash at the end
            unfinished += "\n"
            continue
        commands.append(unfinished.replace("\\\n", " ").strip())
        unfinished = ""
    if unfinished:
        raise ValueError(f"The block ends within a command: {unfinished!r}")
    return commands


def prints(shown: str, printed: str) -> bool:
    """Return whether this was printed, wherever lines are broken, with anything in the place of `…`."""
    parts = ["".join(part.split()) for part in shown.split("…")]
    return re.search(".*?".join(map(re.escape, parts)), "".join(printed.split())) is not None


def links_of(text: str) -> list[str]:
    """Return where the links of a page lead, without what is code."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text)))


def anchors_of(path: Path) -> set[str]:
    """Return the names by which headings of a page can be linked to, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", path.read_text())):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (unique := f"{name}-{number}" if number else name) in found:
            number += 1
        found.add(unique)
    return found
