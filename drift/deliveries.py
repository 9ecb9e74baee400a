"""Telling people: every message is a row first, is sent after the check, and is tried again when it fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.utils import timezone

from drift.models import DriftAlert, DriftDelivery, DriftMonitor, DriftReport
from drift.webhooks import SendFailed, post_signed
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
FIRST_WAIT_SECONDS = 60
WAIT_FACTOR = 4
MAX_WAIT_SECONDS = 6 * 3600
# Longer than any try may take: whoever took a message and died lets go of it after that.
CLAIM_SECONDS = 300
MAX_ERROR = 1_000


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the messages that were due."""

    sent: int
    failed: int


def queue(monitor: DriftMonitor, alert: DriftAlert, event: DriftDelivery.Event, report: DriftReport) -> None:
    """Write down what is to be told; inside the transaction that changes the alert."""
    now = timezone.now()
    payload = {
        "event": f"alert.{event.value}",
        "alert": str(alert.pk),
        "kind": alert.kind,
        "monitor": monitor.name,
        "target": monitor.target,
        "verdict": report.verdict,
        "summary": alert.summary,
        "window_start": report.window_start.isoformat(),
        "window_end": report.window_end.isoformat(),
        "report": report.pk,
        "time": now.isoformat(),
    }
    text = orjson.dumps(payload).decode()
    for channel in monitor.channels:
        facts = {"channel": channel["kind"], "address": channel["address"]}
        DriftDelivery.objects.get_or_create(
            alert=alert, event=event, **facts, defaults={"payload": text, "next_attempt_at": now}
        )


def send_due(*, now: datetime | None = None) -> Sent:
    """Send every message whose time has come, each in a try of its own.

    Two processes never send one at the same time. Killed between sending and noting it, it is sent once more: its id
    lets the receiver see that.
    """
    sent = failed = 0
    moment = now or timezone.now()
    due = DriftDelivery.objects.filter(state=DriftDelivery.State.PENDING, next_attempt_at__lte=moment)
    for key in list(due.order_by("next_attempt_at").values_list("pk", flat=True)):
        until = moment + timedelta(seconds=CLAIM_SECONDS)
        mine = due.filter(pk=key)
        if not run_write(lambda mine=mine, until=until: mine.update(next_attempt_at=until, attempts=F("attempts") + 1)):  # type: ignore[misc]
            continue
        delivery = DriftDelivery.objects.select_related("alert__monitor").filter(pk=key).first()
        if delivery is None:
            continue
        error = _try(delivery)
        _note(delivery, error, moment)
        sent, failed = sent + (not error), failed + bool(error)
    return Sent(sent, failed)


def _try(delivery: DriftDelivery) -> str:
    """Send one message; return what went wrong."""
    try:
        _SENDERS[delivery.channel](delivery)
    except Exception as error:  # noqa: BLE001  whatever a mail server or a receiver does, the others have to be told
        return f"{type(error).__name__}: {error}"[:MAX_ERROR].replace("\0", "")
    return ""


def _note(delivery: DriftDelivery, error: str, now: datetime) -> None:
    facts: dict[str, object] = {"last_error": error}
    if not error:
        facts |= {"state": DriftDelivery.State.SENT, "sent_at": timezone.now()}
    elif delivery.attempts >= MAX_ATTEMPTS:
        facts |= {"state": DriftDelivery.State.FAILED}
    else:
        wait = min(FIRST_WAIT_SECONDS * WAIT_FACTOR ** (delivery.attempts - 1), MAX_WAIT_SECONDS)
        facts |= {"next_attempt_at": now + timedelta(seconds=wait)}
    run_write(lambda: DriftDelivery.objects.filter(pk=delivery.pk).update(**facts))
    if error:
        extra = {
            "delivery": str(delivery.pk),
            "channel": delivery.channel,
            "attempt": delivery.attempts,
            "reason": error,
        }
        logger.warning("alert could not be delivered", extra=extra)


def _log(delivery: DriftDelivery) -> None:
    alert = delivery.alert
    facts = {"event": delivery.event, "monitor": alert.monitor.name, "kind": alert.kind, "summary": alert.summary}
    logger.warning("drift alert", extra=facts)


def _email(delivery: DriftDelivery) -> None:
    if not settings.EMAIL_HOST:
        raise SendFailed("No mail server is known. Set LAKEHOUSE_EMAIL_URL.")
    alert = delivery.alert
    word = "Alert" if delivery.event == DriftDelivery.Event.OPENED else "Recovered"
    subject = " ".join(f"[Lakehouse] {word}: {alert.monitor.name}".split())
    text = f"{alert.summary}\n\n{delivery.payload}\n"
    EmailMessage(subject, text, None, [delivery.address], headers={"X-Lakehouse-Delivery": str(delivery.pk)}).send()


def _webhook(delivery: DriftDelivery) -> None:
    post_signed(
        delivery.address,
        delivery.payload.encode(),
        secret=delivery.alert.monitor.webhook_secret,
        delivery_id=str(delivery.pk),
        allowed_hosts=settings.LAKEHOUSE_WEBHOOK_HOSTS,
    )


_SENDERS: dict[str, Callable[[DriftDelivery], None]] = {"log": _log, "email": _email, "webhook": _webhook}
