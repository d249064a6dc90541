"""The token that our own clients send, renewed before it expires if they make it themselves."""

import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

from services.chassis.http.auth.caller import ROLES
from services.chassis.settings.environment import PREFIX, load
from services.console.tokens.issuer import Issuer, read_key
from services.console.tokens.settings import TokenSettings

LIFETIME = timedelta(hours=1)
RENEWED_S = 2700.0  # before the end: valid also for a service whose clock a campaign has moved half an hour ahead
SUBJECT = "workbench"


class SentToken:
    """The header Authorization of requests to the APIs. Raises IssuerError for a key that cannot be used."""

    def __init__(self, settings: TokenSettings, subject: str = SUBJECT) -> None:
        self._issuer: Issuer | None = None
        if settings.token_key_file:
            names = settings.auth_issuer, settings.auth_audience
            self._issuer = read_key(Path(settings.token_key_file), *names)
        self._subject = subject
        self._token = settings.token
        self._until = 0.0

    def headers(self) -> dict[str, str]:
        """Return the header with a token that is valid for some minutes, or nothing where none is configured."""
        now = time.time()
        if self._issuer and now > self._until - RENEWED_S:
            self._token = self._issuer.token(self._subject, ROLES, LIFETIME, now)
            self._until = now + LIFETIME.total_seconds()
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}


def of_environment(environment: Mapping[str, str]) -> SentToken:
    """Return the token of the environment's settings. Raises IssuerError, SettingsError."""
    names = {f"{PREFIX}{field.name.upper()}" for field in fields(TokenSettings)}
    return SentToken(load(TokenSettings, {name: value for name, value in environment.items() if name in names}))
