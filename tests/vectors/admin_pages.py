"""What the tests of the admin share: addresses, people with some permissions, and a look at the HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.task_queue import work_off
from vectors import indexes

HOSTILE = "\"><script>alert('x')</script>&/?#%2F é"


def address(page: str, name: str = "docs") -> str:
    return reverse(f"admin:vectors_vectorindex_{page}", args=[indexes.index_state(name=name).id])


def staff_with(*permissions: str) -> Client:
    """Return a client signed in as staff that has these permissions on indexes."""
    user = User.objects.create_user(f"staff-{'-'.join(permissions)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{one}_vectorindex" for one in permissions]))
    client = Client()
    client.force_login(user)
    return client


def boss_client() -> Client:
    """Return a client signed in as a superuser; without a password, whose hash takes half a second."""
    client = Client()
    client.force_login(User.objects.create_user("boss", is_staff=True, is_superuser=True))
    return client


def get(client: Client, url: str, **query: str) -> str:
    """Return the HTML of a page that works and keeps to the site's policy."""
    response = client.get(url, query)
    assert response.status_code == 200
    return checked(response.content.decode())


def act(client: Client, url: str, **form: Any) -> str:
    """Send an action, let a worker do what is queued, and return the page of the task."""
    response = client.post(url, form)
    assert response.status_code == 302
    work_off()
    return get(client, response["Location"])


def checked(html: str) -> str:
    assert faults_of(html) == []
    return html


def text_of(html: str) -> str:
    """Return the text of a page with single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


class _Policy(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src") and given.get("type") != "application/json"):
            self.faults.append(f"inline {tag}")
        self.faults += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action"):
            value = given.get(name) or ""
            if "//" in value.partition("?")[0] or value.startswith("javascript:"):
                self.faults.append(f"{tag} {name}={value}")


def faults_of(html: str) -> list[str]:
    """Return what the content security policy would refuse."""
    policy = _Policy()
    policy.feed(html)
    return policy.faults
