"""The pages on commands and metrics beside the code."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from prometheus_client import REGISTRY

from tests.docs.pages import page, steps_of
from tests.docs.shell import Shell

APPS = ("lakehouse_site", "vectors", "catalog", "distillation", "drift")
COMMANDS = page("reference/commands.md")
METRICS = page("reference/metrics.md")
DJANGOS = {action.dest for action in BaseCommand().create_parser("manage.py", "x")._actions}


def our_commands() -> dict[str, str]:
    return {name: str(app) for name, app in get_commands().items() if str(app) in APPS}


def parser_of(name: str) -> argparse.ArgumentParser:
    return load_command_class(our_commands()[name], name).create_parser("manage.py", name)


def options_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the options that are the command's own, also those of its actions, without --json."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from options_of(inner)
        elif action.dest not in DJANGOS and not is_json_flag(action):
            yield action


def is_json_flag(action: argparse.Action) -> bool:
    return "--json" in action.option_strings and action.nargs == 0


def section_of(name: str) -> str:
    found = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", COMMANDS, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/reference/commands.md has no section {name}"
    return found[1]


def test_the_page_has_every_command_and_no_other() -> None:
    assert sorted(re.findall(r"^### (\w+)$", COMMANDS, re.MULTILINE)) == sorted(our_commands())


@pytest.mark.parametrize("name", sorted(our_commands()))
def test_a_command_is_described_with_its_options_defaults_and_choices(name: str) -> None:
    section = section_of(name)
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    shown = {option for row in rows for option in re.findall(r"--[a-z-]+", row.split("|")[1])}
    known = {text for action in options_of(parser_of(name)) for text in action.option_strings}

    assert shown == known
    assert f"    .venv/bin/python manage.py {name}" in section
    for action in options_of(parser_of(name)):
        spelled = action.option_strings[0] if action.option_strings else str(action.metavar or action.dest).upper()
        (*_, row) = [row for row in rows if re.search(rf"[` ]{re.escape(spelled)}[` ]", row.split("|")[1])]
        for choice in action.choices or ():
            assert f"`{choice}`" in row, (name, spelled, choice)
        if action.option_strings and action.default not in (None, False, "", []):
            assert str(action.default) in row, (name, spelled, action.default)


def test_the_page_says_which_commands_have_no_json() -> None:
    (line,) = [line for line in COMMANDS.splitlines() if line.startswith("* `--json`")]
    named = re.findall(r"`(\w+)`", line)

    assert named == sorted(name for name in our_commands() if not has_json(parser_of(name)))


def has_json(parser: argparse.ArgumentParser) -> bool:
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    parsers = [parser, *(one for action in inner for one in action.choices.values())]
    return any(is_json_flag(action) for one in parsers for action in one._actions)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_examples_run_one_after_the_other(shell: Shell) -> None:
    # Servers of their own have tests of their own, and nothing is frozen here.
    skip = [f".venv/bin/python manage.py {name}" for name in ("serve", "worker", "stress", "drift_acknowledge")]

    shell.follow(steps_of(COMMANDS), skip=skip)

    assert (shell.folder / "docs.parquet").exists()


def test_the_page_on_metrics_has_every_metric_with_its_type_and_labels() -> None:
    rows = re.findall(r"^\| `(lakehouse_\w+)` \| (\w+) \|(.*?)\| (.*?) \|$", METRICS, re.MULTILINE)
    expected = []
    for family in REGISTRY.collect():
        if family.name.startswith("lakehouse_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            values: dict[str, list[str]] = {}
            for sample in family.samples:
                for label, value in sample.labels.items():
                    if sample.name == name:
                        values.setdefault(label, []).append(f"`{value}`")
            labels = "; ".join(f"`{label}`: {', '.join(found)}" for label, found in values.items())
            expected.append((name, family.type, labels, family.documentation))

    assert sorted((name, kind, labels.strip(), text) for name, kind, labels, text in rows) == sorted(expected)
