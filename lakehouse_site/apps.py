from __future__ import annotations

from django.apps import AppConfig


class LakehouseSiteConfig(AppConfig):
    name = "lakehouse_site"
    verbose_name = "Lakehouse"

    def ready(self) -> None:
        from lakehouse_site import checks  # noqa: F401  importing registers them
