"""Every page of the admin and of the API: no error, nothing from elsewhere, readable in dark and on a phone."""

from __future__ import annotations

import pytest

from tests.browser.visiting import Visitor, crawl

pytestmark = pytest.mark.slow


def test_every_kind_of_page_of_the_admin(boss: Visitor) -> None:
    seen = []
    for address in crawl(boss, "/admin/", "/admin/", leave_out="logout|jsi18n"):
        boss.look()
        seen.append(address)

    assert len(seen) > 40


def test_every_kind_of_page_of_the_api(boss: Visitor) -> None:
    seen = []
    for address in crawl(boss, "/", "/v1/", leave_out="/v1/schema|/files/|/acknowledge|/discard|/release|/retire"):
        boss.look()
        seen.append(address)

    assert len(seen) > 20


def test_the_documentation_of_the_api_needs_nobody_else(boss: Visitor) -> None:
    boss.page.goto("/docs/")
    boss.page.wait_for_selector(".opblock-summary")

    boss.look(colours_are_ours=False)

    assert boss.page.locator(".opblock").count() > 50
