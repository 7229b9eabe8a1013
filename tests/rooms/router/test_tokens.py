"""Tokens and anonymous subjects, with the time as we like."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from rooms.errors import CloseCode, Closing
from rooms.router.tokens import LIFETIME, OPERATOR_LIFETIME, Tokens

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
        sign(sub="ada", exp="9"),
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


# ---------------------------------------------------------------------- operators


def test_an_operators_token_is_one_for_a_while() -> None:  # [ADMIN1]
    tokens = Tokens(SECRET)
    token = tokens.issue_operator(NOW)
    tokens.check_operator(token, NOW + OPERATOR_LIFETIME - 1000)
    with pytest.raises(Closing) as refused:
        tokens.check_operator(token, NOW + OPERATOR_LIFETIME)
    assert refused.value.code == CloseCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, CloseCode.UNAUTHENTICATED),
        ("", CloseCode.UNAUTHENTICATED),
        (Tokens(b"t" * 32).issue_operator(NOW), CloseCode.UNAUTHENTICATED),
        (sign(sub="x", aud="rooms.operator", exp=NOW // 1000), CloseCode.UNAUTHENTICATED),
        (Tokens(SECRET).issue("ada", NOW), CloseCode.FORBIDDEN),
        (Tokens(SECRET).issue("rooms.operator", NOW), CloseCode.FORBIDDEN),
        (sign(sub="ada", role="operator", exp=NOW), CloseCode.FORBIDDEN),
        (sign(sub="ada", aud=["other"], exp=NOW), CloseCode.FORBIDDEN),
        (sign(sub="ada", aud="rooms.operator"), CloseCode.FORBIDDEN),
    ],
    ids=range(9),
)
def test_nobody_else_is_an_operator(token: str | None, code: CloseCode) -> None:  # [ADMIN1]
    with pytest.raises(Closing) as refused:
        Tokens(SECRET).check_operator(token, NOW)
    assert refused.value.code == code


def test_an_operators_token_makes_nobody_a_viewer() -> None:  # [ADMIN1]
    tokens = Tokens(SECRET)
    for token in (tokens.issue_operator(NOW), sign(sub="ada", aud=["rooms.operator"])):
        with pytest.raises(Closing) as refused:
            tokens.read(token, NOW)
        assert refused.value.code == CloseCode.UNAUTHENTICATED
