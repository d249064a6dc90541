"""`console token` makes a key once, and tokens that an API with its key set accepts."""

import json
import stat
import time
from pathlib import Path
from typing import NamedTuple

import jwt
import pytest

from services.chassis.http.auth import key_set
from services.chassis.http.auth.issuer_keys import IssuerKeys
from services.chassis.http.auth.settings import AuthSettings
from services.chassis.http.auth.tokens import Policy, TokenVerifier
from services.console.failures import UsageError
from services.console.tokens.command import TokenOptions, run
from services.console.tokens.sent import LIFETIME, RENEWED_S, SentToken
from services.console.tokens.settings import TokenSettings
from services.workbench.faults.conditions.clocks import AHEAD_S
from services.workbench.local.ports import HOST
from tests.support.apis import applications
from tests.support.command_blocks import ROOT, blocks_for, execute
from tests.support.console_process import console as run_console
from tests.support.issuer import bearer, served
from tests.support.user_process import ask

DEVELOPMENT = TokenSettings()
POLICY = Policy(DEVELOPMENT.auth_issuer, DEVELOPMENT.auth_audience, "roles", AuthSettings.auth_leeway)


class Done(NamedTuple):
    returncode: int
    output: str


def console(*arguments: str, **settings: str) -> Done:
    return Done(*run_console(settings, *arguments))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("issuer")
    assert console("token", "--new-key", str(folder)).returncode == 0
    return folder


def verifier(keys: Path) -> TokenVerifier:
    settings = AuthSettings(auth="jwt", auth_jwks_file=str(keys / "jwks.json"), http_host=HOST)
    found = IssuerKeys(key_set.source(settings))
    found.refresh()
    return TokenVerifier(found, POLICY)


def made(keys: Path, *arguments: str) -> str:
    done = console("token", *arguments, APP_TOKEN_KEY_FILE=str(keys / "issuer.jwk"))
    assert done.returncode == 0, done.output
    return done.output.strip()


def test_the_private_key_is_readable_by_its_owner_alone_and_not_in_the_key_set(keys: Path) -> None:
    assert stat.S_IMODE((keys / "issuer.jwk").stat().st_mode) == 0o600
    (public,) = json.loads((keys / "jwks.json").read_text())["keys"]
    private = json.loads((keys / "issuer.jwk").read_text())
    assert private == public | {"d": private["d"]}


def test_a_key_is_never_overwritten(keys: Path) -> None:
    before = (keys / "issuer.jwk").read_text()
    done = console("token", "--new-key", str(keys))
    assert (done.returncode, (keys / "issuer.jwk").read_text()) == (2, before)
    assert "never overwritten" in done.output


def test_a_token_has_the_roles_the_subject_and_the_time_that_were_asked_for(keys: Path) -> None:
    token = made(keys, "--role", "write", "--role", "audit", "--subject", "ada", "--for", "10m")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["roles"]) == ("ada", ["audit", "write"])
    assert claims["exp"] - claims["iat"] == 600


def test_an_api_with_the_key_set_accepts_it(keys: Path) -> None:
    with served(applications(protected=True)["user"], verifier(keys)) as port:
        tokens = {role: bearer(made(keys, "--role", role)) for role in ("read", "write")}
        statuses = {role: ask(port, "GET", "/users", None, headers).status for role, headers in tokens.items()}
    assert statuses == {"read": 500, "write": 403}  # the handler has nothing behind it


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--role", "root"), "the roles are read, write, audit, operate"),
        ((), "--role is missing"),
        (("--role", "read", "--for", "5"), "write a number with its unit"),
        (("--role", "read", "--for", "0s"), "shorter than a second"),
    ],
)
def test_wrong_arguments_are_explained(keys: Path, arguments: tuple[str, ...], message: str) -> None:
    done = console("token", *arguments, APP_TOKEN_KEY_FILE=str(keys / "issuer.jwk"))
    assert (done.returncode, message in done.output) == (2, True), done.output


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"d": "x", "crv": "Ed25519", "kty": "OKP", "x": "y"}'])
def test_a_file_without_a_key_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "issuer.jwk"
    if content is not None:
        path.write_text(content)
    done = console("token", "--role", "read", APP_TOKEN_KEY_FILE=str(path))
    assert (done.returncode, str(path) in done.output, "Traceback" in done.output) == (2, True, False), done.output


def test_a_command_without_the_key_names_the_setting() -> None:
    # Not as a process: that would find the key of a system that runs here.
    with pytest.raises(UsageError, match="APP_TOKEN_KEY_FILE"):
        run(TokenSettings(), TokenOptions(role=["read"]))


def test_our_clients_renew_a_token_before_it_expires(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = SentToken(TokenSettings(token_key_file=str(keys / "issuer.jwk")))
    first, now = sent.headers(), time.time()
    assert sent.headers() == first
    monkeypatch.setattr(time, "time", lambda: now + LIFETIME.total_seconds() - RENEWED_S + 1)
    assert sent.headers() != first
    assert SentToken(TokenSettings(token="given")).headers() == {"Authorization": "Bearer given"}  # noqa: S106
    assert SentToken(TokenSettings()).headers() == {}


def test_a_token_of_our_clients_is_valid_for_a_service_whose_clock_a_campaign_moved(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = SentToken(TokenSettings(token_key_file=str(keys / "issuer.jwk")))
    first, now = sent.headers(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + LIFETIME.total_seconds() - RENEWED_S - 1)  # just not renewed
    assert sent.headers() == first
    claims = jwt.decode(first["Authorization"].split()[1], options={"verify_signature": False})
    assert claims["exp"] > time.time() + AHEAD_S


def test_the_commands_of_the_page_make_a_key_and_a_token(tmp_path: Path) -> None:
    (block,) = blocks_for(__file__)
    (tmp_path / ".eventline").mkdir()
    (tmp_path / ".eventline/venv").symlink_to(ROOT / ".eventline/venv")
    code, output = execute(block.text, {"PYTHONPATH": str(ROOT)}, tmp_path)
    assert code == 0, output
    claims = jwt.decode(output.splitlines()[-1], options={"verify_signature": False})
    assert (claims["sub"], claims["roles"]) == ("ada", ["audit", "write"])
