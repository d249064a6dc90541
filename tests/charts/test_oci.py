"""The packaged chart in an OCI registry on this machine: pushed, pulled, and rendered as the folder is.

Needs a registry program: `go install github.com/google/go-containerregistry/cmd/crane@v0.20.6`, on PATH. Then
`pytest -m "charts and on_demand" tests/charts/test_oci.py`.
"""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.polling import until
from tests.charts.helm import found, parsed
from tests.support.command_blocks import ROOT, blocks_for, execute

pytestmark = [pytest.mark.charts, pytest.mark.on_demand]
DOCUMENTED = "registry.example.com"


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """An empty registry in memory."""
    crane = shutil.which("crane")
    if crane is None:
        pytest.skip("crane is not on PATH: go install github.com/google/go-containerregistry/cmd/crane@v0.20.6")
    (port,) = free_ports(1)
    with subprocess.Popen([crane, "registry", "serve", "--address", f"{HOST}:{port}"]) as server:
        until("the registry listens", lambda: _listens(port))
        yield f"{HOST}:{port}"
        server.terminate()


def test_the_documented_commands_push_and_pull_the_whole_chart(registry: str, tmp_path: Path) -> None:
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    (block,) = blocks_for(__file__)
    commands = re.sub(r"(oci://\S+)", r"\1 --plain-http", block.text.replace(DOCUMENTED, registry))
    code, output = execute(commands, folder=tmp_path)
    assert code == 0, output
    rendered = (tmp_path / "eventline.yaml").read_text()
    assert rendered == found("helm").template("eventline", "--namespace", "eventline").stdout
    assert (tmp_path / "eventline" / "values-production.yaml").exists()
    assert len(parsed(rendered)) > 50


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((HOST, port)) == 0
