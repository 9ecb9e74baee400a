from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from lakehouse_site.management.base import ServiceCommand
from vectors.indexes import index_state
from vectors.maintenance import build_graph
from vectors.management.progress import progress_bar
from vectors.queries import DEFAULT_K, DEFAULT_NUM, parse_recall
from vectors.recall import measure_recall


class Command(ServiceCommand):
    help = "Measure how many of the true nearest items searches of a vector index find, and keep the result."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--num", type=int, default=DEFAULT_NUM, help="stored vectors to search for (%(default)s)")
        parser.add_argument("--k", type=int, default=DEFAULT_K, help="neighbours of each (%(default)s)")
        parser.add_argument("--min", type=float, dest="least", help="exit with status 1 when the recall is below this")

    def run(self, **options: Any) -> None:
        name, least = options["name"], options["least"]
        num, k = parse_recall({"num": options["num"], "k": options["k"]})
        state = index_state(name=name)
        with progress_bar(None, f"rows of {name} built") as progress:
            build_graph(name=name, progress=progress)  # what searches of a server go by; a new process has none
        with progress_bar(min(num, state.live_count), "searches") as progress:
            found = measure_recall(state=state, num=num, k=k, progress=progress)
        text = (
            f"{name}: recall@{found.k} is {found.recall:.4f} over {found.num} stored vectors; "
            f"a search takes {found.ann_ms:.2f} ms, an exact one {found.exact_ms:.2f} ms."
        )
        self.answer({"index": name, **asdict(found)}, text, as_json=options["as_json"])
        if least is not None and found.recall < least:
            raise CommandError(f"The recall of {name} is {found.recall:.4f}, less than {least:g}.")
