from __future__ import annotations

from django.db import models

from lakehouse_site.access import tokens


class ApiToken(models.Model):
    """A bearer token. Rows are never deleted: the table being empty means that no token is asked for."""

    class Scope(models.TextChoices):
        READ = tokens.READ
        WRITE = tokens.WRITE
        ADMIN = tokens.ADMIN

    name = models.CharField(max_length=100, unique=True, help_text="For whom or what this token is.")
    hash = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=tokens.SHOWN_CHARACTERS, editable=False)
    scope = models.CharField(max_length=5, choices=Scope, default=Scope.READ)
    index_pattern = models.CharField(
        max_length=128,
        blank=True,
        default="",
        help_text="Only indexes whose name matches, for example docs-*; empty for all.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="UTC; empty for never.")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API token"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
