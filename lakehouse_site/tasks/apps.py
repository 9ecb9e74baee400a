from __future__ import annotations

from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "lakehouse_site.tasks"
    label = "tasks"
    verbose_name = "Tasks"
    default_auto_field = "django.db.models.BigAutoField"
