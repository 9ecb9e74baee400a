"""What people want to know of a task, and the workers there are."""

from __future__ import annotations

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models


class TaskRecord(models.Model):
    """One task: who started it, on what, how far it is, and what came of it in words. Its state is in `result`."""

    result = models.OneToOneField(
        "django_tasks_database.DBTaskResult", on_delete=models.CASCADE, primary_key=True, related_name="record"
    )
    title = models.TextField()
    subject_type = models.ForeignKey(ContentType, on_delete=models.CASCADE, related_name="+")
    subject_id = models.CharField(max_length=64)
    subject_name = models.TextField()
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name="started by"
    )
    started_by_name = models.CharField(max_length=150, verbose_name="started by")
    may_repeat = models.BooleanField(help_text="Whether it may simply be run again after its worker was killed.")
    worker = models.CharField(max_length=64, blank=True, help_text="The worker that is or was at it.")
    stage = models.TextField(blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    said = models.TextField(blank=True, verbose_name="what came of it")

    class Meta:
        ordering = ("-result__enqueued_at", "pk")
        verbose_name = "task"
        indexes = (models.Index(fields=("subject_type", "subject_id"), name="tasks_subject"),)

    def __str__(self) -> str:
        return self.title


class TaskWorker(models.Model):
    """A process that carries out tasks. It lives while `seen_at` is fresh."""

    id = models.CharField(primary_key=True, max_length=64)
    host = models.TextField()
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"
