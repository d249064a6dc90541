import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from services.chassis.http.auth.caller import Caller
from services.chassis.http.auth.issuer_keys import IssuerKeys
from services.chassis.http.auth.tokens import MOST_VERIFIED, REFUSED, Policy, TokenError, TokenVerifier
from tests.support.issuer import AUDIENCE, ISSUER, POLICY, PRIVATE, a_token, claims, public_jwk


class Setup:
    """A verifier whose keys and time can be changed."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.listed = [public_jwk(algorithm, key) for algorithm, key in PRIVATE.items()]
        self.ahead = 0.0
        self.keys = IssuerKeys(lambda: json.dumps({"keys": self.listed}).encode())
        self.keys.refresh()
        self.verifier = TokenVerifier(self.keys, policy, lambda: time.time() + self.ahead)

    def caller(self, token: str) -> Caller:
        return asyncio.run(self.verifier.caller(token.encode()))


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_token_names_its_caller(algorithm: str) -> None:
    found = Setup().caller(a_token("read", "write", "admin", algorithm=algorithm))
    assert found == Caller("ada", frozenset({"read", "write"}))


@pytest.mark.parametrize(
    ("claim", "changed"),
    [
        ("roles", {"roles": "read write other"}),
        ("scope", {"scope": "read write"}),
        ("realm_access.roles", {"realm_access": {"roles": ["read", "write"]}}),
        ("https://example.org/roles", {"https://example.org/roles": ["write", "read", 7]}),
    ],
)
def test_roles_are_in_the_configured_claim(claim: str, changed: dict[str, Any]) -> None:
    setup = Setup(Policy(ISSUER, AUDIENCE, claim, POLICY.leeway))
    assert setup.caller(a_token(**({"roles": ["audit"]} | changed))).roles == {"read", "write"}


def test_a_clock_may_be_behind_or_ahead_by_the_leeway() -> None:
    now = int(time.time())
    assert Setup().caller(a_token(exp=now - 20, nbf=now + 20)).subject == "ada"


NOW = int(time.time())
BAD: dict[str, Callable[[], str]] = {
    "malformed": lambda: "no token",
    "unknown_key": lambda: a_token(kid="other"),
    "signature": lambda: a_token(algorithm="ES256") + "AAAA",
    "algorithm": lambda: jwt.encode(claims(), PRIVATE["RS256"], "PS256", {"kid": "RS256"}),
    "expired": lambda: a_token(exp=NOW - 3600),
    "not_yet_valid": lambda: a_token(nbf=NOW + 3600),
    "issuer": lambda: a_token(iss="https://other.example.org"),
    "audience": lambda: a_token(aud="somebody-else"),
    "claims": lambda: a_token(sub=None),
}


def test_every_reason_of_a_refusal_has_a_token_here() -> None:
    assert set(BAD) == set(REFUSED)


@pytest.mark.parametrize("reason", BAD)
def test_a_refusal_has_its_reason(reason: str) -> None:
    with pytest.raises(TokenError) as refused:
        Setup().caller(BAD[reason]())
    assert refused.value.reason == reason


def test_a_verified_token_is_remembered_until_it_expires() -> None:
    setup = Setup()
    token = a_token("read")
    first = setup.caller(token)
    assert setup.caller(token) is first
    setup.ahead = 3600 + 31
    assert setup.caller(token) is not first


def test_a_verified_token_is_forgotten_when_its_key_is_withdrawn() -> None:
    setup = Setup()
    token = a_token("read")
    setup.caller(token)
    setup.listed = [public_jwk("EdDSA", ed25519.Ed25519PrivateKey.generate(), kid="other")]
    setup.keys.refresh()
    with pytest.raises(TokenError, match="no key"):
        setup.caller(token)


def test_remembered_tokens_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_VERIFIED <= 10_000
    monkeypatch.setattr("services.chassis.http.auth.tokens.MOST_VERIFIED", 3)
    setup = Setup()
    tokens = [a_token("read", sub=f"user-{number}") for number in range(5)]
    callers = [setup.caller(token) for token in tokens]
    assert setup.caller(tokens[4]) is callers[4]
    assert setup.caller(tokens[0]) is not callers[0]


def test_a_token_without_a_key_id_is_taken_if_the_issuer_has_one_key() -> None:
    setup = Setup()
    setup.listed = [public_jwk("EdDSA", PRIVATE["EdDSA"])]
    setup.keys.refresh()
    assert setup.caller(jwt.encode(claims(), PRIVATE["EdDSA"], "EdDSA")).subject == "ada"
