import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from jwt import PyJWK

from services.chassis.http.auth.issuer_keys import CONDITION, LEAST_S, USUAL_S, IssuerKeys, KeyRefresh
from services.chassis.http.auth.key_set import KeySetError, parse
from services.chassis.telemetry.health import Health
from tests.support.issuer import PRIVATE, public_jwk

OLD = public_jwk("EdDSA", PRIVATE["EdDSA"], kid="old")
NEW = public_jwk("EdDSA", ed25519.Ed25519PrivateKey.generate(), kid="new")


class Issuer:
    """A key set that counts its readers, at a time of its own."""

    def __init__(self, *keys: object) -> None:
        self.listed = list(keys)
        self.reads = 0
        self.now = 1000.0
        self.down = False
        self.keys = IssuerKeys(self.read, lambda: self.now)

    def read(self) -> bytes:
        self.reads += 1
        if self.down:
            raise KeySetError("the issuer does not answer")
        return json.dumps({"keys": self.listed}).encode()

    def find(self, kid: str) -> PyJWK | None:
        return asyncio.run(self.keys.find(kid))


@pytest.fixture
def issuer() -> Issuer:
    made = Issuer(OLD)
    made.keys.refresh()
    return made


def test_a_known_key_needs_no_further_read(issuer: Issuer) -> None:
    assert issuer.find("old") is not None
    assert issuer.reads == 1


def test_a_new_key_is_found_after_the_interval_and_a_withdrawn_one_is_gone(issuer: Issuer) -> None:
    issuer.listed = [NEW]
    assert issuer.find("new") is None
    issuer.now += LEAST_S
    assert issuer.find("new") is not None
    assert issuer.find("old") is None
    assert issuer.reads == 2


def test_a_flood_of_unknown_ids_causes_one_read_per_interval(issuer: Issuer) -> None:
    for second in range(int(3 * LEAST_S)):
        issuer.now = 1000.0 + second
        for number in range(20):
            assert issuer.find(f"unknown-{number}") is None
    assert issuer.reads == 3


def test_simultaneous_requests_with_a_new_key_wait_for_one_read(issuer: Issuer) -> None:
    issuer.listed, issuer.now = [OLD, NEW], issuer.now + LEAST_S

    async def together(find: Callable[[str], Awaitable[PyJWK | None]]) -> list[PyJWK | None]:
        return list(await asyncio.gather(*(find("new") for _ in range(50))))

    assert None not in asyncio.run(together(issuer.keys.find))
    assert issuer.reads == 2


def test_keys_stay_while_the_issuer_is_unreachable(issuer: Issuer) -> None:
    issuer.down, issuer.now = True, issuer.now + LEAST_S
    assert issuer.find("new") is None
    assert issuer.find("old") is not None


def test_a_service_is_not_ready_before_it_has_keys_and_stays_ready_without_the_issuer() -> None:
    issuer, health = Issuer(OLD), Health()
    issuer.down = True
    refresh = KeyRefresh(issuer.keys, health)
    assert CONDITION in health.missing()
    assert refresh.check() < LEAST_S
    assert health.missing()[CONDITION] == "the issuer does not answer"
    issuer.down = False
    assert refresh.check() == USUAL_S
    assert CONDITION not in health.missing()
    issuer.down = True
    assert refresh.check() == LEAST_S
    assert CONDITION not in health.missing()
    assert CONDITION in health.absent()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"keys": {}}', b'{"keys": [1]}', b'{"keys": []}', b"\xff"])
def test_what_is_no_key_set_is_refused(content: bytes) -> None:
    with pytest.raises(KeySetError):
        parse(content)


@pytest.mark.parametrize(
    "changed",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"alg": "HS256"},
        {"use": "enc"},
        {"crv": "Ed448"},
        {"crv": "X25519"},
        {"x": "AAAA"},
        {"x": 1},
        {"kid": 7},
        {"d": "AAAA"},
    ],
)
def test_keys_that_cannot_verify_tokens_are_left_out(changed: dict[str, object]) -> None:
    content = json.dumps({"keys": [NEW | changed, OLD]}).encode()
    assert set(parse(content)) == {"old"}
