"""Calls as the access tests make them."""

from __future__ import annotations

from typing import Any

from django.test import Client

ENV_TOKEN = "correct-horse-battery-staple"
LOOPBACK: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "127.0.0.1"}
LAN: dict[str, Any] = {"REMOTE_ADDR": "10.1.2.3", "SERVER_NAME": "10.1.2.1", "HTTP_HOST": "localhost"}


def get(path: str = "/thing", token: str | None = None, **meta: Any) -> Any:
    if token is not None:
        meta["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    every: dict[str, Any] = {**LOOPBACK, **meta}
    return Client().get(path, **every)


def send(method: str, path: str, token: str, body: Any = None) -> Any:
    return Client().generic(
        method,
        path,
        b"{}" if body is None else body,
        "application/json",
        HTTP_AUTHORIZATION=f"Bearer {token}",
        **LOOPBACK,
    )
