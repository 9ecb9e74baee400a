"""Making and revoking API tokens: the same for the admin and the commands."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from lakehouse_site.access.models import ApiToken
from lakehouse_site.access.tokens import SCOPES, SHOWN_CHARACTERS, hash_token, new_token
from lakehouse_site.errors import Conflict, Fault, InvalidInput, NotFound

logger = logging.getLogger(__name__)


class TokenExists(Conflict):
    """A token of this name exists, perhaps a revoked one."""

    code = "token_exists"
    title = "The token exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"A token named {name!r} exists (a revoked one keeps its name). Choose another name.")


class TokenNotFound(NotFound):
    """No token has this name."""

    code = "token_not_found"
    title = "No such token"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no token named {name!r}. `manage.py token_list` lists them.")


@dataclass(frozen=True, slots=True)
class CreatedToken:
    """A new token; ``token`` is shown once and stored nowhere."""

    row: ApiToken
    token: str


def check_new_token(*, name: str, scope: str, index_pattern: str, expires_at: datetime | None) -> None:
    """Raise InvalidInput naming everything that is wrong with what is wanted."""
    faults = []
    if not 1 <= len(name.strip()) <= 100 or not name.isprintable():
        faults.append(Fault("/name", "invalid_name", "A name has 1 to 100 printable characters."))
    if scope not in SCOPES:
        faults.append(Fault("/scope", "invalid_scope", f"The scope is one of {', '.join(SCOPES)}."))
    if len(index_pattern) > 128 or not index_pattern.isprintable():
        faults.append(Fault("/index_pattern", "invalid_pattern", "A pattern has at most 128 printable characters."))
    if expires_at is not None and expires_at <= timezone.now():
        faults.append(Fault("/expires_at", "in_the_past", "The expiry must be in the future."))
    if faults:
        raise InvalidInput(faults)


def create_token(*, name: str, scope: str, index_pattern: str = "", expires_at: datetime | None = None) -> CreatedToken:
    """Make a token."""
    name = name.strip()
    check_new_token(name=name, scope=scope, index_pattern=index_pattern, expires_at=expires_at)
    token = new_token()
    try:
        with transaction.atomic():
            row = ApiToken.objects.create(
                name=name,
                hash=hash_token(token.encode()),
                prefix=token[:SHOWN_CHARACTERS],
                scope=scope,
                index_pattern=index_pattern,
                expires_at=expires_at,
            )
    except IntegrityError:
        raise TokenExists(name) from None
    logger.info("token created", extra={"token_name": name, "scope": scope, "index_pattern": index_pattern})
    return CreatedToken(row, token)


def revoke_token(*, name: str) -> ApiToken:
    """Revoke a token; revoking a revoked one changes nothing."""
    row = ApiToken.objects.filter(name=name).first()
    if row is None:
        raise TokenNotFound(name)
    if ApiToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now()):
        logger.info("token revoked", extra={"token_name": name})
    row.refresh_from_db()
    return row
