from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse_site.access import selectors


@pytest.fixture(autouse=True)
def _forgetful_token_layer() -> Iterator[None]:
    """Each test has its own tokens; the process must not remember those of the one before."""
    selectors.forget()
    yield
    selectors.forget()
