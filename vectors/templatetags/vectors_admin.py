"""Numbers and addresses as the pages of the admin write them."""

from __future__ import annotations

from urllib.parse import urlencode

from django import template
from django.urls import reverse

from vectors.models import VectorIndex

register = template.Library()


@register.filter
def count(number: int) -> str:
    """Return a whole number with its thousands set apart."""
    return f"{number:,}"


@register.filter
def figure(number: float) -> str:
    """Return a number with six significant digits."""
    return f"{number:.6g}"


@register.simple_tag
def item_url(index: VectorIndex, key: str) -> str:
    """Return the address of the page of an item. Ids never stand in paths: they may hold anything."""
    return f"{reverse('admin:vectors_vectorindex_item', args=[index.pk])}?{urlencode({'id': key})}"


@register.filter
def percent(share: float) -> str:
    """Return a share of 0 to 1 in percent."""
    return f"{100 * share:.1f} %"
