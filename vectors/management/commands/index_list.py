from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lakehouse_site.management.base import ServiceCommand
from vectors.indexes import describe_all, list_indexes


class Command(ServiceCommand):
    help = "List the vector indexes."

    def run(self, **options: Any) -> None:
        infos = describe_all(list(list_indexes()))
        width = max([len("NAME"), *(len(info.name) for info in infos)])
        lines = [f"{'NAME':<{width}}  {'ITEMS':>10}  {'DIMENSION':>9}  {'DISTANCE':<9}  UPDATED"]
        lines += [
            f"{info.name:<{width}}  {info.count:>10}  {info.dimension:>9}  {info.distance:<9}  "
            f"{info.updated_at:%Y-%m-%d %H:%M:%S} UTC"
            for info in infos
        ]
        text = "\n".join(lines) if infos else "There are no indexes. Create one with: manage.py index_create NAME …"
        self.answer([asdict(info) for info in infos], text, as_json=options["as_json"])
