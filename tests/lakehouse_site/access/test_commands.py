from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from lakehouse_site.access.models import ApiToken
from lakehouse_site.access.services import create_token

pytestmark = pytest.mark.django_db


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def _status(token: str, method: str = "get") -> int:
    call: Any = getattr(Client(), method)
    status: int = call("/", headers={"Authorization": f"Bearer {token}"}).status_code
    return status


def test_a_created_token_works_and_is_printed_alone() -> None:
    token = _run("token_create", "ci").strip()

    assert _status(token) == 200
    assert "\n" not in token


def test_json_has_the_token_and_what_it_may_do() -> None:
    shown = json.loads(
        _run("token_create", "ci", "--scope", "write", "--index", "docs-*", "--expires", "30d", "--json")
    )

    row = ApiToken.objects.get(name="ci")
    assert (shown["scope"], shown["index_pattern"], row.prefix) == ("write", "docs-*", shown["token"][:10])
    assert row.expires_at is not None
    assert abs(row.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "arguments",
    [["--expires", "tomorrow"], ["--expires", "0d"], ["--expires", "-1d"], ["--scope", "god"], ["--index", "x" * 129]],
)
def test_wrong_arguments_make_no_token(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        _run("token_create", "ci", *arguments)

    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_wrong_names_make_no_token(name: str) -> None:
    with pytest.raises(CommandError):
        _run("token_create", name)


def test_a_name_is_taken_for_ever() -> None:
    _run("token_create", "ci")
    _run("token_revoke", "ci")

    with pytest.raises(CommandError, match="exists"):
        _run("token_create", "ci")


def test_revoking_twice_keeps_the_first_time() -> None:
    token = _run("token_create", "ci").strip()

    assert _run("token_revoke", "ci") == _run("token_revoke", "ci")
    assert _status(token) == 401


def test_revoking_what_is_not_there_fails() -> None:
    with pytest.raises(CommandError, match="token_list"):
        _run("token_revoke", "nobody")


def test_the_list_shows_no_token() -> None:
    token = create_token(name="ci", scope="read").token

    shown = _run("token_list")
    rows = json.loads(_run("token_list", "--json"))
    assert "ci" in shown
    assert token not in shown
    assert [row["name"] for row in rows] == ["ci"]
    assert token not in str(rows)
