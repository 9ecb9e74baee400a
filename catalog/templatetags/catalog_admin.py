"""Times and totals of snapshots as the pages of the admin write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from django import template
from django.template.defaultfilters import filesizeformat

register = template.Library()


@register.filter
def at_ms(milliseconds: int) -> datetime:
    """Return the time of milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@register.filter
def total(summary: Mapping[str, str], name: str) -> str:
    """Return a number of a snapshot's summary, which a client has written, with its thousands set apart."""
    text = str(summary.get(name, ""))
    return f"{int(text):,}" if text.isascii() and text.isdigit() and len(text) < 20 else "–"


@register.filter
def total_size(summary: Mapping[str, str]) -> str:
    """Return the size of the files of a snapshot, if its summary tells."""
    text = str(summary.get("total-files-size", ""))
    return filesizeformat(int(text)) if text.isascii() and text.isdigit() and len(text) < 20 else "–"
