"""`break` from a terminal: the system is found, a part breaks and heals, and nothing is lost.

On `make run` this is a test of the live page: tests/integration/workbench/test_live_page.py.
"""

import subprocess
import sys

import pytest

from services.console.tokens.found_key import given
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import clean_environment
from tests.support.stories.story import Story
from tests.support.stories.target import DATABASE

PATIENCE_S = 240.0


def broken(story: Story, *arguments: str) -> tuple[int, str]:
    """Run the command to its end, where no `make run` is found."""
    variables = {**story.target.variables, **given(), "APP_PAGE_PORT": str(free_ports(1)[0])}
    command = (sys.executable, "-m", "services.workbench", "break", *arguments)
    done = subprocess.run(
        command, env=clean_environment(variables), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("fault", ["kill notification", "stall mail", "poison json"])
def test_what_a_terminal_breaks_is_healed_and_nothing_is_lost(story: Story, fault: str) -> None:
    if DATABASE not in story.target.parts:
        pytest.skip("without `make run` there is no live page that could break this system")
    code, output = broken(story, *fault.split(), "--for", "5s")
    assert code == 0, output
    assert "lost          nothing: " in output
    assert broken(story, "heal")[1].endswith("healed: nothing was broken\n")
    story.await_mail(story.register_user())
