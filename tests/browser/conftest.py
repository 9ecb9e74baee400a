"""A browser and people at it. One browser a module, not one a run: Playwright's loop would be in Django's way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.visiting import Visitor, running_browser
from tests.filled import NAME, PASSWORD, Filled, add_boss


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture(scope="module")
def boss_session(filled: Filled, browser: Browser) -> list[dict[str, str]]:
    """The cookies of somebody who has signed in."""
    add_boss(filled.server)
    visitor = Visitor(browser, filled.server.base_url)
    sign_in(visitor)
    visitor.look()
    assert visitor.faults == []
    cookies = visitor.context.cookies()
    visitor.context.close()
    return [{key: str(cookie[key]) for key in ("name", "value", "domain", "path")} for cookie in cookies]


@pytest.fixture
def visitor(filled: Filled, browser: Browser) -> Iterator[Visitor]:
    """Somebody whom the service does not know."""
    somebody = Visitor(browser, filled.server.base_url)
    yield somebody
    somebody.context.close()
    assert somebody.faults == []


@pytest.fixture
def boss(visitor: Visitor, boss_session: list[dict[str, str]]) -> Visitor:
    """Somebody who may do everything, signed in to the admin."""
    visitor.context.add_cookies(boss_session)  # type: ignore[arg-type]
    return visitor


def sign_in(visitor: Visitor) -> None:
    visitor.open("/admin/")
    visitor.page.fill("#id_username", NAME)
    visitor.page.fill("#id_password", PASSWORD)
    visitor.page.click("input[type=submit]")
    visitor.page.wait_for_selector("#user-tools")
