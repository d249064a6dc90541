"""`console token`: prints a token of the development issuer, or makes the issuer's key."""

import getpass
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from services.chassis.http.auth.caller import ROLES
from services.chassis.settings.environment import duration
from services.console.failures import UsageError
from services.console.tokens.issuer import new_key, read_key
from services.console.tokens.settings import TokenSettings

NO_KEY = "APP_TOKEN_KEY_FILE is missing: it names the issuer's private key, which `console token --new-key DIR` makes"


class TokenOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `console token`."""

    role: Annotated[list[str], typer.Option(help=f"One of {', '.join(ROLES)}; may be repeated.")] = []
    subject: Annotated[str, typer.Option(help="The caller's name; without, that of the operating system's user.")] = ""
    valid: Annotated[str, typer.Option("--for", help="How long it is valid, such as 10m or 1h.")] = "1h"
    new_key: Annotated[Path | None, typer.Option(help="A folder for a new key: issuer.jwk and jwks.json.")] = None


def run(settings: TokenSettings, options: TokenOptions) -> None:
    """Print a token, or write a new key. Raises UsageError, OSError."""
    if options.new_key is not None:
        private, public = new_key(options.new_key)
        sys.stderr.write(f"{private}: the private key, which makes tokens\n{public}: for APP_AUTH_JWKS_FILE\n")
    else:
        sys.stdout.write(f"{_token(settings, options)}\n")


def _token(settings: TokenSettings, options: TokenOptions) -> str:
    if not settings.token_key_file:
        raise UsageError(NO_KEY)
    if unknown := sorted({*options.role} - {*ROLES}):
        raise UsageError(f"--role {', '.join(unknown)} does not exist: the roles are {', '.join(ROLES)}")
    if not options.role:
        raise UsageError(f"--role is missing: name one or more of {', '.join(ROLES)}")
    issuer = read_key(Path(settings.token_key_file), settings.auth_issuer, settings.auth_audience)
    return issuer.token(options.subject or getpass.getuser(), options.role, _lifetime(options.valid))


def _lifetime(text: str) -> timedelta:
    try:
        found = duration(text)
    except ValueError as error:
        raise UsageError(f"--for {text!r} {error}") from None
    if found < timedelta(seconds=1):
        raise UsageError(f"--for {text!r} is shorter than a second")
    return found
