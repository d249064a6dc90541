"""Verification of bearer tokens: JSON Web Tokens (RFC 7519) signed with RS256, ES256 or EdDSA."""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import jwt
import msgspec
from jwt import PyJWK
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAlgorithmError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from services.chassis.http.auth.caller import ROLES, Caller
from services.chassis.http.auth.issuer_keys import IssuerKeys
from services.contracts.envelope import actor_of

LARGEST_TOKEN = 8 * 1024  # bytes
LONGEST_SUBJECT = 200  # characters: the subject is in logs, headers of records and rows
MOST_VERIFIED = 4096
LAST_SECOND = 2**53
REQUIRED = ("exp", "iss", "aud", "sub")
MALFORMED, UNKNOWN_KEY, CLAIMS = "malformed", "unknown_key", "claims"
REASONS: Mapping[type[Exception], str] = {
    InvalidSignatureError: "signature",
    InvalidAlgorithmError: "algorithm",
    ExpiredSignatureError: "expired",
    ImmatureSignatureError: "not_yet_valid",
    InvalidIssuerError: "issuer",
    InvalidAudienceError: "audience",
    MissingRequiredClaimError: CLAIMS,
}
REFUSED = (MALFORMED, UNKNOWN_KEY, *dict.fromkeys(REASONS.values()))


class TokenError(Exception):
    """The token is refused for one of the reasons REFUSED; the message is for the log."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Policy(msgspec.Struct, frozen=True):
    """The claims that a token must have."""

    issuer: str
    audience: str
    roles_claim: str
    leeway: timedelta


class _Verified(msgspec.Struct, frozen=True):
    caller: Caller
    until: float


class TokenVerifier:
    """Verifies tokens. A verified one is remembered by its digest until it expires, or the issuer's keys change."""

    def __init__(self, keys: IssuerKeys, policy: Policy, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._policy = policy
        self._now = now
        self._verified: dict[bytes, _Verified] = {}
        self._verified_with = keys.keys

    async def caller(self, token: bytes) -> Caller:
        """Return the caller that a token names. Raises TokenError."""
        if len(token) > LARGEST_TOKEN:
            raise TokenError(MALFORMED, f"the token has {len(token)} bytes, more than {LARGEST_TOKEN}")
        if self._verified_with is not self._keys.keys:
            self._verified_with = self._keys.keys
            self._verified.clear()
        digest = hashlib.sha256(token).digest()
        known = self._verified.get(digest)
        if known is None or known.until <= self._now():
            known = await self._verify(token)
            self._remember(digest, known)
        return known.caller

    def _remember(self, digest: bytes, verified: _Verified) -> None:
        self._verified.pop(digest, None)
        if len(self._verified) >= MOST_VERIFIED:
            del self._verified[next(iter(self._verified))]  # the oldest
        self._verified[digest] = verified

    async def _verify(self, token: bytes) -> _Verified:
        try:
            key = await self._key(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._policy.audience,
                issuer=self._policy.issuer,
                leeway=self._policy.leeway,
                options={"require": list(REQUIRED)},
            )
        except (PyJWTError, ValueError, RecursionError) as error:
            reason = REASONS.get(type(error), MALFORMED)
            raise TokenError(reason, f"{type(error).__name__}: {error}"[:LONGEST_SUBJECT]) from None
        caller = Caller(_subject(claims["sub"]), _roles(claims, self._policy.roles_claim))
        return _Verified(caller, min(int(claims["exp"]), LAST_SECOND) + self._policy.leeway.total_seconds())

    async def _key(self, header: Mapping[str, Any]) -> PyJWK:
        kid = header.get("kid", "")
        if not kid and len(self._keys.keys) == 1:
            return next(iter(self._keys.keys.values()))
        key = await self._keys.find(kid) if kid else None
        if key is None:
            raise TokenError(UNKNOWN_KEY, f"no key of the issuer has the id {str(kid)[:100]!r}")
        return key


def _subject(subject: str) -> str:
    if len(subject) > LONGEST_SUBJECT or actor_of(subject) is None:  # no record could carry it as its actor
        raise TokenError(CLAIMS, f"the claim sub is empty, longer than {LONGEST_SUBJECT} characters or not printable")
    return subject


def _roles(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    value: Any = claims.get(claim)
    if value is None:
        value = claims
        for part in claim.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    given = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(ROLES) & frozenset(each for each in given if isinstance(each, str))
