"""Durable writes that leave the answer to a keyed request in the same transaction, and finding it again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from django.db import IntegrityError
from django.utils import timezone

from catalog.callers import Caller
from catalog.errors import AnsweredMeanwhile, Unprocessable
from catalog.models import IdempotencyKey
from vectors.transactions import run_write

Result = TypeVar("Result")

LIFETIME: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with; the tag of what it shows is not stored."""

    status: int
    body: str
    etag: str = ""


def write(work: Callable[[], Result], *, caller: Caller) -> Result:
    """Run `work` as `vectors.transactions.run_write` does, and store the answer to a keyed request with it.

    Raises
    ------
    AnsweredMeanwhile
        A request with the same key was first; nothing of `work` was kept.
    """

    def all_of_it() -> Result:
        result = work()
        if caller.keyed is not None:
            _insert(caller, *caller.keyed.answer(result))
        return result

    try:
        return run_write(all_of_it)
    except IntegrityError as error:
        if caller.keyed is not None and find_answer(caller=caller) is not None:
            raise AnsweredMeanwhile("Another request with this idempotency key was first.") from error
        raise


def find_answer(*, caller: Caller) -> Answer | None:
    """Return the answer to an earlier request with the caller's key, if there was one within the last 24 hours.

    Raises
    ------
    Unprocessable
        That was another request.
    """
    if caller.keyed is None:
        return None
    since = timezone.now() - LIFETIME
    found = IdempotencyKey.objects.filter(
        principal=caller.principal, key=caller.keyed.key, created_at__gte=since
    ).first()
    if found is None:
        return None
    if found.request_sha256 != caller.keyed.request_sha256:
        raise Unprocessable("The idempotency key was used for another request. Send a new key with a new request.")
    return Answer(found.status, found.body)


def keep_answer(*, caller: Caller, status: int, body: str) -> None:
    """Store an answer that has no write of its own: a final refusal, or that there was nothing to change."""
    with suppress(IntegrityError):  # it has been stored with the write, or another request was first
        run_write(lambda: _insert(caller, status, body))


def _insert(caller: Caller, status: int, body: str) -> None:
    keyed: Any = caller.keyed
    IdempotencyKey.objects.filter(created_at__lt=timezone.now() - LIFETIME).delete()
    IdempotencyKey.objects.create(
        principal=caller.principal,
        key=keyed.key,
        request_sha256=keyed.request_sha256,
        status=status,
        body=body,
    )
