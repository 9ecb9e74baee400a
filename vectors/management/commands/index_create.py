from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from lakehouse_site.management.base import ServiceCommand
from vectors import validation
from vectors.distances import DISTANCES
from vectors.indexes import create_index


class Command(ServiceCommand):
    help = "Create an empty vector index."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument("--dimension", type=int, required=True, help="numbers in a vector")
        parser.add_argument("--distance", choices=DISTANCES, default="cosine")
        parser.add_argument("--m", type=int, default=validation.DEFAULT_M, help="links of a graph node")
        parser.add_argument("--ef-construction", type=int, default=validation.DEFAULT_EF_CONSTRUCTION)
        parser.add_argument("--ef-search", type=int, default=validation.DEFAULT_EF_SEARCH)

    def run(self, **options: Any) -> None:
        new = validation.parse_new_index({field: options[field] for field in validation.INDEX_FIELDS})
        info = create_index(new=new)
        text = f"Created {info.name}: {info.dimension} numbers, {info.distance} distance."
        self.answer(asdict(info), text, as_json=options["as_json"])
