"""The README's commands of docker compose, as they are written, as a project and on ports of their own."""

from services.workbench.local.free_ports import free_ports
from tests.e2e.compose_target import PORTS
from tests.support.command_blocks import blocks_for, execute


def test_the_documented_commands_bring_the_system_up_with_its_watchers_and_remove_it() -> None:
    ports = {name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    own = ports | {"COMPOSE_PROJECT_NAME": "eventline-commands"}
    try:
        for block in blocks_for(__file__):
            code, output = execute(block.text, own)
            assert code == 0, f"{block.text}{output}"
    finally:
        execute("docker compose --profile full down --volumes --timeout 5", own)
