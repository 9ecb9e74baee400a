from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse_site.access import selectors


@pytest.fixture
def distillation_db(transactional_db: None) -> Iterator[None]:
    """A database with real commits; no memory of tokens left over from another test."""
    selectors.forget()
    yield
    selectors.forget()
