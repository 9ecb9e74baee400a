from __future__ import annotations

import re

import pytest
from django.test import Client

from lakehouse_site.access.models import ApiToken
from lakehouse_site.access.services import create_token

pytestmark = pytest.mark.django_db
LIST = "/admin/access/apitoken/"


def test_a_token_made_in_the_admin_is_shown_once_and_works(admin_client: Client) -> None:
    form = {"name": "ci", "scope": "read", "index_pattern": "", "expires_at_0": "", "expires_at_1": ""}

    page = admin_client.post(f"{LIST}add/", form, follow=True).content.decode()

    found = re.search(r"shown only now: (\S+?)<", page)
    assert found is not None
    assert Client().get("/", headers={"Authorization": f"Bearer {found[1]}"}).status_code == 200
    assert found[1] not in admin_client.get(LIST).content.decode()
    assert ApiToken.objects.count() == 1


def test_an_expiry_in_the_past_is_told_in_the_form(admin_client: Client) -> None:
    form = {"name": "ci", "scope": "read", "expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}

    response = admin_client.post(f"{LIST}add/", form)

    assert response.status_code == 200
    assert "future" in response.content.decode()
    assert not ApiToken.objects.exists()


def test_tokens_are_revoked_by_an_action(admin_client: Client) -> None:
    row = create_token(name="ci", scope="read").row

    admin_client.post(LIST, {"action": "revoke", "_selected_action": [row.pk]})

    row.refresh_from_db()
    assert row.revoked_at is not None


def test_tokens_are_neither_deleted_nor_changed(admin_client: Client) -> None:
    row = create_token(name="ci", scope="read").row

    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert admin_client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.post(f"{LIST}{row.pk}/change/", {"name": "other", "scope": "admin"}).status_code == 403

    row.refresh_from_db()
    assert (row.name, row.scope) == ("ci", "read")
