"""A local system with authentication, as docs/access.md starts it: every command of ours sends tokens."""

from pathlib import Path

import httpx
import pytest

from services.workbench.polling import until
from tests.integration.workbench.test_run import a_load_of, await_no_lag, running
from tests.support.command_blocks import ROOT, blocks_for, execute
from tests.support.console_process import DEADLINE, Settings, console, own_settings

pytestmark = pytest.mark.long
ADA = {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"}


def protected_settings(folder: Path) -> Settings:
    """Return the settings of a local system whose APIs need tokens of a new issuer."""
    settings = own_settings(folder)
    assert console(settings, "token", "--new-key", str(folder / "issuer"))[0] == 0
    return settings | {"APP_TOKEN_KEY_FILE": str(folder / "issuer/issuer.jwk")}


def test_load_journey_reconcile_and_live_page_work_with_tokens_alone(tmp_path: Path) -> None:
    settings = protected_settings(tmp_path)
    without = {name: value for name, value in settings.items() if name != "APP_TOKEN_KEY_FILE"}
    users, page = (f"http://127.0.0.1:{settings[f'APP_{name}_PORT']}/users" for name in ("USER", "PAGE"))
    with running(settings, tmp_path / "run.log"):
        assert httpx.post(users, json=ADA).status_code == 401
        (block,) = blocks_for(__file__)
        code, output = execute(block.text, settings | {"API": users.removesuffix("/users"), "PYTHONPATH": str(ROOT)})
        assert (code, "grace@example.org" in output) == (0, True), output
        registered = httpx.post(page, json=ADA)
        assert registered.status_code == 201, registered.text
        correlation_id = registered.json()["correlation_id"]
        await_no_lag(settings)
        code, output = console(settings, *a_load_of(settings), "--history", str(tmp_path / "history.jsonl"))
        assert code == 0, output
        code, output = console(settings, "reconcile", "--history", str(tmp_path / "history.jsonl"))
        assert code == 0, output

        def journey() -> tuple[int, str]:
            return console(settings, "journey", correlation_id, "--personal")

        until("the journey", journey, lambda seen: "ada@example.org" in seen[1], DEADLINE)
        code, output = console(without, "journey", correlation_id)
        assert (code, "APP_TOKEN" in output) == (2, True), output
        code, output = console(without, *a_load_of(settings))
        assert code != 0
        assert "401" in output, output


def test_a_demo_ends_well_with_tokens(tmp_path: Path) -> None:
    code, output = console(protected_settings(tmp_path) | {"APP_USERS": "20"}, "demo")
    assert code == 0, output
