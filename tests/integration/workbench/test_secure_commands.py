"""`make run SECURE=1` as a person runs it: on the state of a plain run, with commands beside it that need no login."""

from pathlib import Path

import httpx
import pytest

from services.console.settings import OPERATOR_FILE
from services.workbench.local.access.secured_broker import denials
from services.workbench.polling import until
from tests.integration.workbench.test_run import ADA, await_no_lag, running
from tests.support.command_blocks import ROOT, blocks_for, execute
from tests.support.console_process import DEADLINE, Settings, console, own_settings

pytestmark = pytest.mark.long

LOAD = ("load", "--rate", "10", "--seconds", "2", "--population", "5")
READ = "set -a; . {state}/run/{file}; set +a; .eventline/venv/bin/python -m services.console token --role read"


def a_token(settings: Settings) -> str:
    """Return a token as a person makes one who has read the operator's file into a shell."""
    code, output = execute(READ.format(state=settings["APP_STATE_DIR"], file=OPERATOR_FILE), {"PYTHONPATH": str(ROOT)})
    assert code == 0, output
    return output.strip()


def compared_rights(settings: Settings) -> tuple[int, str]:
    """Compare rights as docs/rights.md has it, with the passwords and the login of this state."""
    (block,) = blocks_for(__file__, "docs/rights.md")
    text = block.text
    for folder in ("run", "access"):
        text = text.replace(f".eventline/{folder}", f"{settings['APP_STATE_DIR']}/{folder}")
    return execute(text, {"PYTHONPATH": str(ROOT)})


def test_a_plain_run_can_be_secured_and_every_command_beside_it_works(tmp_path: Path) -> None:
    settings, broker_log = own_settings(tmp_path), tmp_path / "run/broker/broker.log"
    api = f"http://127.0.0.1:{settings['APP_USER_PORT']}/users"
    with running(settings, tmp_path / "plain.log"):
        user_id = httpx.post(api, json=ADA).raise_for_status().json()["user_id"]
    with running(settings | {"APP_SECURE": "1"}, tmp_path / "secured.log"):
        before = len(denials(broker_log))
        assert httpx.get(f"{api}/{user_id}").status_code == 401
        await_no_lag(settings)
        code, output = console(settings, "events", "--no-follow", "--subject", user_id, "--type", "user.state")
        assert (code, len(output.splitlines())) == (0, 1), output
        code, output = console(settings, *LOAD)
        assert code == 0, output
        until("the journey", lambda: console(settings, "journey", user_id), lambda seen: seen[0] == 0, DEADLINE)
        code, output = console(settings, "reconcile")
        assert code == 0, output
        found = httpx.get(f"{api}/{user_id}", headers={"Authorization": f"Bearer {a_token(settings)}"})
        assert found.raise_for_status().json()["login"] == "ada"
        assert denials(broker_log)[before:] == []
        code, output = compared_rights(settings)
        assert (code, "asked as 6 users, 0 differences" in output) == (0, True), output


def test_a_demo_ends_well_with_everything_on(tmp_path: Path) -> None:
    code, output = console(own_settings(tmp_path) | {"APP_SECURE": "1", "APP_USERS": "20"}, "demo")
    assert code == 0, output
    assert "created topics, rights and users" in output
