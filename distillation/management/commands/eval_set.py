from __future__ import annotations

from argparse import SUPPRESS
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from distillation.eval_set_files import read_eval_set
from distillation.eval_sets import EvalSetInfo, add_eval_set, list_eval_sets, retire_eval_set
from lakehouse_site.management.base import ServiceCommand


class Command(ServiceCommand):
    help = "Keep evaluation sets that every export is decontaminated against: add, list or retire them."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="store a set, and use it from now on")
        add.add_argument("file", metavar="FILE", type=Path, help="JSON lines: id, prompt, answer, perhaps canary")
        add.add_argument("--name", help="default: the file's name without its suffix")
        actions.add_parser("list", help="list all sets")
        retire = actions.add_parser("retire", help="let exports use a set no longer")
        retire.add_argument("name", metavar="NAME")
        for action in actions.choices.values():  # so that --json may stand behind the action too
            action.add_argument("--json", action="store_true", dest="as_json", default=SUPPRESS, help=SUPPRESS)

    def run(self, **options: Any) -> None:
        as_json = options["as_json"]
        if options["action"] == "list":
            found = list_eval_sets()
            self.answer([asdict(info) for info in found], _table(found), as_json=as_json)
            return
        if options["action"] == "add":
            info = add_eval_set(content=read_eval_set(options["file"], name=options["name"]))
        else:
            info = retire_eval_set(name=options["name"])
        self.answer(asdict(info), _line(info), as_json=as_json)


def _line(info: EvalSetInfo) -> str:
    state = "active" if info.is_active else "retired"
    return f"{info.name:<24} {info.items:>7} items  {state:<8} {info.sha256[:12]}"


def _table(found: list[EvalSetInfo]) -> str:
    return "\n".join(map(_line, found)) or "No evaluation sets. Add one with: manage.py eval_set add FILE"
