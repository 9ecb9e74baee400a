"""Turn a log of chat completions into scored runs: ``python runs_from_chat_log.py LOG.jsonl ROOT``.

Reads JSON lines of two shapes, needs nothing but Python, and writes ``ROOT/scored-runs/YYYY/MM/DD/chat-log.jsonl``:

* chat completions, request and response side by side, as gateways and proxies log them:
  ``{"id", "created", "request": {"model", "messages"}, "response": {"choices": [{"message"}]}, "verdict": {…}}``
* spans by OpenTelemetry's conventions for generative AI, with content captured as attributes:
  ``{"span_id", "end_time", "attributes": {"gen_ai.request.model", "gen_ai.input.messages", "gen_ai.output.messages",
  …}}``

A log knows what was asked and answered. What it was worth, a scorer says: the ``verdict`` of a line, or for spans the
attributes ``verdict.*``. Without one a run is ``needs_human_review``, which no export ever takes as an answer to learn.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

SOURCE = "chat-log"
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def text_of(content: Any) -> str:
    """Return the text of a message: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text") or part.get("content") or "") for part in parts if part.get("type") == "text")


def turns_of(messages: list[dict[str, Any]]) -> list[dict[str, str]] | None:
    """Return the turns, or None for a conversation with tools: its answers rest on what a text does not show."""
    turns = []
    for message in messages:
        role = ROLES.get(message.get("role", ""))
        text = text_of(message.get("content", message.get("parts")))
        if role is None or message.get("tool_calls") or (role != "system" and not text.strip()):
            return None
        turns.append({"role": role, "content": text})
    return turns


def task_of(turns: list[dict[str, str]]) -> str:
    """Name the task by what was asked, so that several answers to one question belong together."""
    asked = json.dumps(turns[:-1] if turns[-1]["role"] == "assistant" else turns, sort_keys=True)
    return "task-" + hashlib.sha256(asked.encode()).hexdigest()[:24]


def run_of(run_id: str, when: str, model: str, messages: list[dict[str, Any]], verdict: dict[str, Any]) -> Any:
    """Return one line of the input format, or None where there is none to make."""
    turns = turns_of(messages)
    if not turns:
        return None
    run = {
        "schema_version": 1,
        "run_id": run_id,
        "task_id": verdict.get("task_id") or task_of(turns),
        "category": verdict.get("category", "needs_human_review"),
        "scored_at": when,
        "source": SOURCE,
        "score": verdict.get("score"),
        "model": model,
        "messages": turns,
    }
    if "scorer" in verdict:
        run["scorer"] = {"name": verdict["scorer"], "version": str(verdict.get("scorer_version", ""))}
    return run


def from_completion(entry: dict[str, Any]) -> Any:
    """Return the run of a logged chat completion."""
    when = datetime.fromtimestamp(entry["created"], timezone.utc).isoformat()  # noqa: UP017  runs on Python 3.9 too
    answers = [choice["message"] for choice in entry["response"]["choices"][:1]]
    request = entry["request"]
    return run_of(entry["id"], when, request["model"], request["messages"] + answers, entry.get("verdict", {}))


def from_span(span: dict[str, Any]) -> Any:
    """Return the run of a span. Attributes hold lists as JSON texts where the exporter has no lists of objects."""
    known = span["attributes"]
    messages = []
    for name in ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages"):
        value = known.get(name, [])
        value = json.loads(value) if isinstance(value, str) else value
        messages += [{"role": "system", "parts": value}] if name.endswith("instructions") and value else value
    verdict = {name.removeprefix("verdict."): known[name] for name in known if name.startswith("verdict.")}
    return run_of(f"span-{span['span_id']}", span["end_time"], known["gen_ai.request.model"], messages, verdict)


def runs_of(log: Path) -> Iterator[dict[str, Any]]:
    """Yield the runs of a log; tell on standard error what was passed over."""
    with log.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            entry = json.loads(line)
            run = from_span(entry) if "attributes" in entry else from_completion(entry)
            if run is None:
                sys.stderr.write(f"line {number}: passed over, no plain conversation\n")
            else:
                yield run


def main(log: str, root: str) -> None:
    days: dict[Path, list[str]] = {}
    for run in runs_of(Path(log)):
        folder = Path(root, "scored-runs", *run["scored_at"][:10].split("-"))
        days.setdefault(folder, []).append(json.dumps(run, ensure_ascii=False))
    for folder, lines in days.items():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / ".chat-log.jsonl.tmp"  # a name with a dot is not read
        unfinished.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        unfinished.replace(folder / "chat-log.jsonl")
        sys.stdout.write(f"{folder / 'chat-log.jsonl'}: {len(lines)} runs\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
