from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from lakehouse_site.management.base import ServiceCommand
from vectors.duplicates import find_duplicates
from vectors.indexes import index_state
from vectors.maintenance import build_graph
from vectors.management.progress import progress_bar
from vectors.queries import parse_duplicates


class Command(ServiceCommand):
    help = "List groups of near-duplicates: items of a vector index within a distance of another one of the group."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--threshold", type=float, required=True, help="the distance up to which they are alike")

    def run(self, **options: Any) -> None:
        name = options["name"]
        threshold = parse_duplicates({"threshold": options["threshold"]})
        state = index_state(name=name)
        with progress_bar(None, f"rows of {name} built") as progress:
            build_graph(name=name, progress=progress)  # what searches of a server go by; a new process has none
        with progress_bar(state.live_count, "items") as progress:
            found = find_duplicates(state=state, threshold=threshold, progress=progress)
        # Ids may hold anything, so they are quoted: one line is one group.
        lines = [f"{group.max_distance:.6f}  {'  '.join(map(ascii, group.ids))}" for group in found.groups]
        alike = sum(len(group.ids) for group in found.groups)
        lines.append(f"{name}: {len(found.groups)} groups with {alike} of {found.scanned} items.")
        self.answer({"index": name, **asdict(found)}, "\n".join(lines), as_json=options["as_json"])
