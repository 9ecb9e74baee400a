from __future__ import annotations

import pytest

from lakehouse_site.access.tokens import (
    SCOPES,
    Caller,
    bearer_token,
    hash_token,
    new_token,
    same_token,
)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", b"abc"),
        ("Bearer ", b""),
        ("Bearer  abc", b" abc"),
        ("Bearer abc ", b"abc "),
        ("bearer abc", None),
        ("BEARER abc", None),
        ("Bearer\tabc", None),
        (" Bearer abc", None),
        ("Bearer", None),
        ("Basic abc", None),
        ("abc", None),
        ("", None),
        ("Bearer \xe9", b"\xe9"),
        ("Bearer 日本", b""),
    ],
)
def test_only_the_exact_prefix_makes_a_bearer_token(header: str, token: bytes | None) -> None:
    assert bearer_token(header) == token


def test_tokens_are_compared_in_full_and_as_bytes() -> None:
    assert same_token(b"secret", "secret")
    assert not same_token(b"secre", "secret")
    assert not same_token(b"secret1", "secret")
    assert not same_token(b"\xe9\xff", "secret")


@pytest.mark.parametrize(("sent", "expected"), [(b"", ""), (b"", "secret"), (b"secret", "")])
def test_an_empty_token_never_matches(sent: bytes, expected: str) -> None:
    assert not same_token(sent, expected)


def test_new_tokens_differ_and_only_their_hash_is_stored() -> None:
    one, other = new_token(), new_token()

    assert one != other
    assert len(one) > 40
    assert len(hash_token(one.encode())) == 64
    assert one not in hash_token(one.encode())


@pytest.mark.parametrize("has", SCOPES)
@pytest.mark.parametrize("needs", SCOPES)
def test_each_scope_includes_those_before_it(has: str, needs: str) -> None:
    assert Caller("x", has).may(needs) is (SCOPES.index(needs) <= SCOPES.index(has))


def test_nobody_has_an_unknown_scope() -> None:
    assert not Caller("x", "admin").may("delete-everything")
    assert not Caller("x", "").may("read")


@pytest.mark.parametrize(
    ("pattern", "name", "visible"),
    [
        ("", "anything", True),
        ("docs-*", "docs-1", True),
        ("docs-*", "docs", False),
        ("docs-*", "DOCS-1", False),
        ("docs-*", "my-docs-1", False),
        ("docs", "docs", True),
        ("docs", "docs2", False),
    ],
)
def test_an_index_pattern_is_case_sensitive_and_matches_the_whole_name(pattern: str, name: str, visible: bool) -> None:
    assert Caller("x", "read", pattern).sees(name) is visible
