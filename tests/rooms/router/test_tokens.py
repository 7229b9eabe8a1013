"""Tokens and anonymous subjects, with the time as we like."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from rooms.errors import CloseCode, Closing
from rooms.router.tokens import LIFETIME, Tokens

SECRET = b"s" * 32
NOW = 1_700_000_000_000


def sign(secret: bytes = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


def test_a_token_brings_its_subject_back() -> None:  # [ID2]
    tokens = Tokens(SECRET)
    identity = tokens.read(tokens.issue("ada", NOW), NOW + LIFETIME - 1)
    assert (identity.subject, identity.role, identity.own) == ("ada", "player", True)


def test_a_subject_follows_from_client_and_secret_and_shows_neither() -> None:  # [ID1]
    client = "c" * 22
    one = Tokens(SECRET).anonymous(client).subject
    assert one == Tokens(SECRET).anonymous(client).subject
    assert one != Tokens(b"t" * 32).anonymous(client).subject
    assert one != Tokens(SECRET).anonymous("d" * 22).subject
    assert one != Tokens(SECRET).anonymous(client, by="key").subject
    assert client not in one
    assert len(one) == 16
    assert one.isalnum()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "rubbish",
        "a.b.c",
        sign(b"t" * 32, sub="ada"),
        jwt.encode({"sub": "ada"}, None, algorithm="none"),
        sign(b"s" * 64, "HS512", sub="ada"),
        sign(role="admin"),
        sign(sub=""),
        sign(sub="a" * 129),
        sign(sub="ada", role=7),
        sign(sub="ada", exp="tomorrow"),
        sign(sub="ada", exp=True),
        sign(sub="ada", exp=NOW // 1000),
        sign(sub="ada", nbf=NOW // 1000 + 1),
        sign(sub="ada", pad="x" * 5000),
    ],
)
def test_what_is_no_good_token_is_refused(token: str) -> None:  # [ID3]
    with pytest.raises(Closing) as refused:
        Tokens(SECRET).read(token, NOW)
    assert refused.value.code is CloseCode.UNAUTHENTICATED
    assert refused.value.retry_after is None


def test_an_operators_token_has_claims_and_isnt_renewed() -> None:
    tokens = Tokens(SECRET)
    identity = tokens.read(sign(sub="ada", role="admin", team="red", exp=NOW // 1000 + 60), NOW)
    assert identity.viewer() == {"id": "ada", "role": "admin", "claims": identity.claims}
    assert identity.claims["team"] == "red"
    assert identity.expires == NOW + 60_000
    assert tokens.renew(identity, NOW) is None


def test_a_token_of_our_own_is_renewed() -> None:  # [ID2]
    tokens = Tokens(SECRET)
    later = NOW + LIFETIME // 2
    renewed = tokens.renew(tokens.read(tokens.issue("ada", NOW), later), later)
    assert renewed is not None
    assert tokens.read(renewed, NOW + LIFETIME + 1).subject == "ada"
