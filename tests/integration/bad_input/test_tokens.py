"""Rows of bad tokens: each gets 401 as a problem detail, the same one, and the issuer sees no request for it."""

import base64
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.chassis.http.auth.refusals import UNAUTHENTICATED
from services.chassis.http.problems import MEDIA_TYPE
from services.workbench.local.ports import HOST
from tests.support.apis import applications
from tests.support.issuer import PRIVATE, KeyServer, a_token, assembled, bearer, claims, public_jwk, served
from tests.support.user_process import Answer, answer, ask

HOUR = 3600
FLOOD = 300
OTHER = ed25519.Ed25519PrivateKey.generate()
PEM = PRIVATE["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed_by_hand(header: dict[str, Any], payload: object, secret: bytes) -> str:
    """Return a token with an HMAC, which the library refuses to make with a public key."""
    unsigned = assembled(header, payload).rstrip(".")
    return f"{unsigned}.{encoded(hmac.digest(secret, unsigned.encode(), hashlib.sha256))}"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def with_payload(payload: bytes) -> str:
    """Return a token of any payload with a right signature."""
    unsigned = f"{encoded(json.dumps({'alg': 'EdDSA', 'kid': 'EdDSA'}).encode())}.{encoded(payload)}"
    return f"{unsigned}.{encoded(PRIVATE['EdDSA'].sign(unsigned.encode()))}"


def changed_payload() -> str:
    head, _, signature = a_token("read").split(".")
    return ".".join((head, encoded(json.dumps(claims(roles=["audit"])).encode()), signature))


BAD: dict[str, Callable[[], str]] = {
    "expired": lambda: a_token(exp=int(time.time()) - HOUR),
    "not yet valid": lambda: a_token(nbf=int(time.time()) + HOUR),
    "issued in the future": lambda: a_token(iat=int(time.time()) + HOUR),
    "for another audience": lambda: a_token(aud="somebody-else"),
    "for other audiences": lambda: a_token(aud=["a", "b"]),
    "of another issuer": lambda: a_token(iss="https://other.example.org"),
    "signed with another key under a known id": lambda: jwt.encode(claims(), OTHER, "EdDSA", {"kid": "EdDSA"}),
    "signed with an unknown key": lambda: jwt.encode(claims(), OTHER, "EdDSA", {"kid": "unknown"}),
    "without a key id": lambda: jwt.encode(claims(), PRIVATE["EdDSA"], "EdDSA"),
    "with a key id that is no text": lambda: assembled({"alg": "EdDSA", "kid": ["EdDSA"]}, claims(), b"x" * 64),
    "none": lambda: assembled({"alg": "none", "kid": "EdDSA"}, claims()),
    "none in another case": lambda: assembled({"alg": "nOnE", "kid": "RS256"}, claims(), b"x"),
    "HMAC with the public key": lambda: signed_by_hand({"alg": "HS256", "kid": "RS256"}, claims(), PEM),
    "HMAC with the public JWK": lambda: signed_by_hand(
        {"alg": "HS256", "kid": "EdDSA"}, claims(), public_jwk("EdDSA", PRIVATE["EdDSA"])["x"].encode()
    ),
    "HMAC with nothing": lambda: signed_by_hand({"alg": "HS256", "kid": "EdDSA"}, claims(), b""),
    "another algorithm of a known key": lambda: jwt.encode(claims(), PRIVATE["RS256"], "PS256", {"kid": "RS256"}),
    "the algorithm of another key": lambda: jwt.encode(claims(), PRIVATE["ES256"], "ES256", {"kid": "EdDSA"}),
    "a key of its own in the header": lambda: jwt.encode(
        claims(), OTHER, "EdDSA", {"kid": "own", "jwk": public_jwk("EdDSA", OTHER)}
    ),
    "an unknown critical extension": lambda: jwt.encode(
        claims(), PRIVATE["EdDSA"], "EdDSA", {"kid": "EdDSA", "crit": ["x"], "x": 1}
    ),
    "changed after signing": changed_payload,
    "truncated": lambda: a_token("read")[:-10],
    "without its signature": lambda: a_token("read").rpartition(".")[0] + ".",
    "of two parts": lambda: a_token("read").rpartition(".")[0],
    "of five parts": lambda: "a.b.c.d.e",
    "no token": lambda: "abc",
    "empty": lambda: "",
    "100 kB": lambda: a_token("read", padding="x" * 75_000),
    "9 kB": lambda: a_token("read", padding="x" * 6_800),
    "without exp": lambda: a_token(exp=None),
    "without iss": lambda: a_token(iss=None),
    "without aud": lambda: a_token(aud=None),
    "without sub": lambda: a_token(sub=None),
    "with an empty sub": lambda: a_token(sub=""),
    "with CR and LF in sub": lambda: a_token(sub="ada\r\nX-Roles: audit"),
    "with a long sub": lambda: a_token(sub="a" * 201),
    "with a sub of too many bytes": lambda: a_token(sub="é" * 129),
    "with a sub that is a number": lambda: with_payload(json.dumps(claims(sub=1)).encode()),
    "with half of a surrogate pair in sub": lambda: with_payload(json.dumps(claims(sub="\ud800")).encode()),
    "with an exp that is a text": lambda: a_token(exp="tomorrow"),
    "with an exp without end": lambda: with_payload(
        json.dumps(claims()).replace('"exp": ', '"exp": 1e400, "x": ').encode()
    ),
    "a payload that is a list": lambda: with_payload(b"[]"),
    "a payload that is no JSON": lambda: with_payload(b"{"),
    "a payload that is nested deeply": lambda: with_payload(b"[" * 3000),
}
HEADERS: dict[str, list[str]] = {
    "no header": [],
    "another scheme": ["Basic YWRhOmFkYQ=="],
    "the scheme alone": ["Bearer"],
    "two headers": [f"Bearer {a_token('read')}", f"Bearer {a_token('read')}"],
    "no scheme": [a_token("read")],
}


class Served(NamedTuple):
    port: int
    keys: KeyServer


@pytest.fixture(scope="module")
def users() -> Iterator[Served]:
    """The user API; its time between two reads of the issuer's keys never passes."""
    with KeyServer() as keys, served(applications(protected=True)["user"], keys.verifier(lambda: 0.0)) as port:
        yield Served(port, keys)


def assert_refused(found: Answer, challenge: str) -> None:
    assert found.status == 401, found
    assert found.headers["content-type"] == MEDIA_TYPE
    assert found.headers["www-authenticate"] == challenge
    assert found.json == {"title": "Unauthorized", "status": 401, "detail": UNAUTHENTICATED}


@pytest.mark.parametrize("name", BAD)
def test_row_bad_token(users: Served, name: str) -> None:
    """Expired, not yet valid, other audience, issuer, key or algorithm, none, HMAC, truncated, 100 kB: 401."""
    assert_refused(
        ask(users.port, "GET", "/users", None, bearer(BAD[name]())), 'Bearer realm="eventline", error="invalid_token"'
    )
    assert users.keys.reads == 1


@pytest.mark.parametrize("name", HEADERS)
def test_row_no_token(users: Served, name: str) -> None:
    """No token, or not one as RFC 6750 has it: 401."""
    connection = http.client.HTTPConnection(HOST, users.port, timeout=30)
    connection.putrequest("GET", "/users")
    for value in HEADERS[name]:
        connection.putheader("Authorization", value)
    connection.endheaders()
    error = ', error="invalid_token"' if HEADERS[name] else ""
    assert_refused(answer(connection.getresponse()), f'Bearer realm="eventline"{error}')
    connection.close()


def test_row_flood_of_unknown_key_ids(users: Served) -> None:
    """An unknown `kid` in a flood: 401, and no request to the issuer."""
    connection = http.client.HTTPConnection(HOST, users.port, timeout=30)
    for number in range(FLOOD):
        token = jwt.encode(claims(), OTHER, "EdDSA", {"kid": f"unknown-{number}"})
        connection.request("GET", "/users", headers=bearer(token))
        assert answer(connection.getresponse()).status == 401
    connection.close()
    assert users.keys.reads == 1


def test_row_a_valid_token_without_the_role(users: Served) -> None:
    """A valid token without the role: 403, and no data."""
    for roles in (["audit"], [], "", "reader", {"read": True}, [["read"]], None):
        found = ask(users.port, "GET", "/users", None, bearer(a_token(roles=roles)))
        assert found.status == 403, roles
        assert 'error="insufficient_scope", scope="read"' in found.headers["www-authenticate"]
        assert b"items" not in found.body


def test_the_good_token_beside_the_bad_ones_is_accepted(users: Served) -> None:
    for algorithm in PRIVATE:
        found = ask(users.port, "GET", "/users", None, bearer(a_token("read", algorithm=algorithm)))
        assert found.status not in {401, 403}, algorithm
    lists = a_token(aud=["x", "eventline"], roles="write read", padding="x" * 5_000)
    assert ask(users.port, "GET", "/users", None, bearer(lists)).status not in {401, 403}


def test_a_short_rsa_key_of_the_issuer_is_not_used() -> None:
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505  # what the test is about
    with KeyServer() as keys:
        keys.keys.append(public_jwk("RS256", short, kid="short"))
        with served(applications(protected=True)["user"], keys.verifier(lambda: 0.0)) as port:
            with pytest.warns(jwt.InsecureKeyLengthWarning):
                token = jwt.encode(claims(), short, "RS256", {"kid": "short"})
            assert ask(port, "GET", "/users", None, bearer(token)).status == 401
