"""Random histories of the protocol, each answer compared with that of a model in dictionaries."""

from __future__ import annotations

from typing import Any

import pytest

from tests.catalog.histories import History
from tests.catalog.protocol_client import Protocol


@pytest.mark.parametrize("seed", [3, 14, 27])
def test_every_answer_is_the_models(protocol: Protocol, seed: int) -> None:
    protocol.call("DELETE", "namespaces/ns")

    def call(method: str, path: str, body: Any) -> tuple[int, Any]:
        answer = protocol.call(method, path, body)
        return answer.status, answer.body if answer.content else None

    History(call, seed).run(150)
