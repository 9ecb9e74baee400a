"""The start page of the admin, as a tag: so the stock `admin.site` stays what every app registers with."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from lakehouse_site.start_page import Link, look_around, sum_up

register = template.Library()


@register.inclusion_tag("lakehouse_site/start_page.html", takes_context=True)
def start_page(context: dict[str, Any]) -> dict[str, Any]:
    """Look around for the person who is signed in."""
    parts = look_around(may=context["request"].user.has_perm)
    state, sentence = sum_up(parts)
    shown = [(part, [(link.text, _address(link)) for link in part.links]) for part in parts]
    return {"parts": shown, "state": state, "sentence": sentence}


def _address(link: Link) -> str:
    """Return where a link leads; nowhere when there is no such page any more, which is no reason to show none."""
    try:
        address = reverse(f"admin:{link.route}", args=link.args)
    except NoReverseMatch:
        return ""
    return f"{address}?{link.query}" if link.query else address
