"""Settings of the authentication of the API."""

import ipaddress
import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from services.chassis.net.settings import ListenSettings
from services.chassis.settings.environment import Text, settings

PRINTABLE = re.compile("[!-~]+")  # an address is sent as it is written
LONGEST_LEEWAY = timedelta(minutes=5)
EXPOSED = (
    "APP_AUTH=none with APP_HTTP_HOST={host}: anybody who reaches the port could read and change everything. Write "
    "APP_AUTH=jwt with the issuer's settings, or APP_HTTP_HOST=127.0.0.1, or APP_AUTH_UNPROTECTED=yes if something "
    "else protects the API"
)


@settings
class AuthSettings(ListenSettings):
    """Authentication by bearer tokens: `auth` is `jwt`, or `none`, which needs `auth_unprotected=yes` beyond loopback.

    The public keys of the issuer are a JSON Web Key Set (JWKS) in a file or at a URL. A token must have `auth_issuer`
    as `iss` and `auth_audience` in `aud`. Its roles are in the claim `auth_roles_claim`, of which dots may name a part,
    such as `realm_access.roles`. Clocks may differ by `auth_leeway`.
    """

    auth: Annotated[str, msgspec.Meta(pattern="^(jwt|none)\\Z")] = "none"
    auth_unprotected: Annotated[str, msgspec.Meta(pattern="^(yes|no)\\Z")] = "no"
    auth_jwks_file: str = ""
    auth_jwks_url: str = ""
    auth_issuer: str = ""
    auth_audience: str = ""
    auth_roles_claim: Text = "roles"
    auth_leeway: timedelta = timedelta(seconds=30)

    @property
    def authenticates(self) -> bool:
        """True if the API needs tokens."""
        return self.auth == "jwt"

    @property
    def exposed(self) -> bool:
        """True if other machines can reach the API, which has no authentication."""
        return not self.authenticates and not _is_loopback(self.http_host)

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        own = self._token_problems() if self.authenticates else self._idle_problems()
        if self.auth_leeway > LONGEST_LEEWAY:
            own.append(f"APP_AUTH_LEEWAY ({self.auth_leeway}) is longer than {LONGEST_LEEWAY}: synchronise the clocks")
        return [*super().problems(), *own]

    def serving_problems(self) -> list[str]:
        """Return what forbids to serve: an API without authentication that other machines can reach."""
        refused = self.exposed and self.auth_unprotected == "no"
        return super().serving_problems() + ([EXPOSED.format(host=self.http_host)] if refused else [])

    def _token_problems(self) -> list[str]:
        given = {"APP_AUTH_ISSUER": self.auth_issuer, "APP_AUTH_AUDIENCE": self.auth_audience}
        problems = [f"{name} is missing: APP_AUTH=jwt needs it" for name, value in given.items() if not value]
        if bool(self.auth_jwks_file) == bool(self.auth_jwks_url):
            problems.append("APP_AUTH=jwt needs either APP_AUTH_JWKS_FILE or APP_AUTH_JWKS_URL: give one of them")
        if self.auth_jwks_url and (wrong := _url_problem(self.auth_jwks_url)):
            problems.append(wrong)
        if self.auth_unprotected == "yes":
            problems.append("APP_AUTH_UNPROTECTED=yes contradicts APP_AUTH=jwt: remove it")
        return problems

    def _idle_problems(self) -> list[str]:
        given = {
            "APP_AUTH_JWKS_FILE": self.auth_jwks_file,
            "APP_AUTH_JWKS_URL": self.auth_jwks_url,
            "APP_AUTH_ISSUER": self.auth_issuer,
            "APP_AUTH_AUDIENCE": self.auth_audience,
        }
        ignored = ", ".join(name for name, value in given.items() if value)
        return [f"{ignored} would be ignored with APP_AUTH=none: write APP_AUTH=jwt, or omit them"] if ignored else []


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url_problem(url: str) -> str:
    """Return what is wrong with the address of the key set, without a password that may be in it."""
    name = "APP_AUTH_JWKS_URL"
    if not _is_url(url):
        return f"{name} is not a URL: write https://host/path, in ASCII and without a space"
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return f"{name} has a user or a password, which no key set needs: write https://host/path"
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        return (
            f"{name}={url!r}: somebody on the way could send other keys, and make tokens of every role: write "
            "https://, or give the keys as APP_AUTH_JWKS_FILE"
        )
    return ""


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        encodable = bool(parts.hostname) and bool((parts.hostname or "").encode("idna"))
        return encodable and parts.scheme in {"http", "https"} and parts.port != 0 and bool(PRINTABLE.fullmatch(text))
    except ValueError:
        return False
