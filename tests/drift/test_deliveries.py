from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from drift import webhooks
from drift.checks import check_due
from drift.deliveries import MAX_ATTEMPTS, send_due
from drift.models import DriftDelivery
from drift.webhooks import SendFailed, post_signed
from tests.drift.runs import add_runs, day, make_monitor

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a secret of some length"


class Receiver(HTTPServer):
    """Keeps what it is sent and answers with the next of `statuses`, 204 when there is none."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?x=1"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.LAKEHOUSE_WEBHOOK_HOSTS = ["127.0.0.1"]
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def drifted(*channels: dict[str, str]) -> None:
    """Raise an alert of a monitor that tells these channels."""
    make_monitor(channels=list(channels), webhook_secret=SECRET)
    add_runs([0.1, 0.2] * 50, day(2))
    add_runs([0.8, 0.9] * 50, day(3))
    check_due(now=day(4))


def waits(start: datetime) -> list[timedelta]:
    """Send until it is given up; return the pauses between the tries."""
    now, found = start, []
    while (one := DriftDelivery.objects.get()).state == "pending":
        send_due(now=now)
        one.refresh_from_db()
        if one.state == "pending":
            found.append(one.next_attempt_at - now)
            now = one.next_attempt_at
    return found


def test_a_webhook_is_signed_over_its_time_and_body(receiver: Receiver) -> None:
    drifted({"kind": "webhook", "address": receiver.url})

    assert send_due().sent == 1

    ((headers, body),) = receiver.received
    signed = f"{headers['X-Lakehouse-Timestamp']}.".encode() + body
    assert headers["X-Lakehouse-Signature"] == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Lakehouse-Delivery"] == str(DriftDelivery.objects.get().pk)
    told = json.loads(body)
    assert (told["event"], told["kind"], told["monitor"], told["verdict"]) == (
        "alert.opened",
        "drift",
        "watch",
        "major",
    )


def test_a_message_is_sent_once(receiver: Receiver) -> None:
    drifted({"kind": "webhook", "address": receiver.url})

    results = [send_due(), send_due(), send_due(now=timezone.now() + timedelta(days=30))]

    assert [one.sent for one in results] == [1, 0, 0]
    assert len(receiver.received) == 1


def test_a_receiver_that_fails_is_tried_again_later(receiver: Receiver) -> None:
    receiver.statuses = [500, 302]
    drifted({"kind": "webhook", "address": receiver.url})
    now = timezone.now()

    assert [send_due(now=now + timedelta(seconds=wait)).sent for wait in (0, 59, 61, 299, 301)] == [0, 0, 0, 0, 1]

    delivery = DriftDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("sent", 3, "")


def test_the_pauses_grow_and_at_last_it_is_given_up() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        drifted({"kind": "webhook", "address": f"http://localhost:{taken.getsockname()[1]}/"})
        found = waits(timezone.now())

    assert [wait.total_seconds() for wait in found] == [60, 240, 960, 3840, 15360, 21600, 21600]
    delivery = DriftDelivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("failed", MAX_ATTEMPTS)
    assert "not public" in delivery.last_error


def test_one_channel_that_fails_does_not_keep_the_others(receiver: Receiver, settings: Settings) -> None:
    settings.EMAIL_HOST = "mail.example"
    drifted(
        {"kind": "webhook", "address": "http://127.0.0.1:1/"},
        {"kind": "email", "address": "ada@example.org"},
        {"kind": "log"},
        {"kind": "webhook", "address": receiver.url},
    )

    result = send_due()

    assert (result.sent, result.failed) == (3, 1)
    assert [message.to for message in mail.outbox] == [["ada@example.org"]]
    assert "watch has drifted: score major" in mail.outbox[0].body


def test_without_a_mail_server_the_log_of_deliveries_says_so() -> None:
    drifted({"kind": "email", "address": "ada@example.org"})

    send_due()

    assert "LAKEHOUSE_EMAIL_URL" in DriftDelivery.objects.get().last_error


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://224.0.0.1/",
    ],
)
def test_an_address_in_this_network_is_refused(url: str) -> None:
    with pytest.raises(SendFailed, match="is not public"):
        post_signed(url, b"{}", secret=SECRET, delivery_id="d", allowed_hosts=[])


def test_a_receiver_that_never_ends_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "DEADLINE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        with pytest.raises((OSError, HTTPException)):
            post_signed(url, b"{}", secret=SECRET, delivery_id="d", allowed_hosts=["127.0.0.1"])
