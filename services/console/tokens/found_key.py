"""The key of the development issuer of a system that runs in containers on this machine, fetched from it."""

import os
from pathlib import Path

from services.console.logins import DOCKER_COMPOSE, IN_KIND, SECRETS, output
from services.console.tokens.issuer import PRIVATE

COMPOSE_FILE = Path(__file__).parents[3] / "docker-compose.yml"
KEY_FILE = "APP_TOKEN_KEY_FILE"
GIVEN = ("APP_TOKEN", KEY_FILE)
IN_COMPOSE = ("docker", "compose", "--file", str(COMPOSE_FILE), "cp", f"token-keys:/keys/{PRIVATE}")
TEMPLATE = f'--output=go-template={{{{index .data "{PRIVATE}" | base64decode}}}}'


def provide(system: str, folder: Path) -> None:
    """Let this process make tokens for a system, unless its environment has a token or a key.

    Does nothing where the system has no such key: then its APIs need no token, or one of another issuer.
    """
    if any(name in os.environ for name in GIVEN) or system not in {DOCKER_COMPOSE, IN_KIND}:
        return
    path = folder.absolute() / system.replace(" ", "-") / PRIVATE
    if fetch(system, path):
        os.environ[KEY_FILE] = str(path)


def given() -> dict[str, str]:
    """Return the variables that let another process send tokens as this one does."""
    return {name: os.environ[name] for name in GIVEN if name in os.environ}


def fetch(system: str, path: Path) -> bool:
    """Write a system's key to a file and return True, or return False where it has none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if system == DOCKER_COMPOSE:
        output(*IN_COMPOSE, str(path))
        return path.exists()
    if text := output(*SECRETS, "eventline-token-issuer", TEMPLATE):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    return bool(text)
