from __future__ import annotations

from django.apps import AppConfig


class VectorsConfig(AppConfig):
    name = "vectors"
    verbose_name = "Vector indexes"
    default_auto_field = "django.db.models.BigAutoField"
