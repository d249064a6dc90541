"""A real Alertmanager with the project's configuration, its mail server another: from PATH, else the upstream image."""

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program, probe
from services.workbench.local.system import System

CONFIG = Path(__file__).parents[2] / "charts/observability/files/alertmanager.yml"
SMARTHOST = "mail:1025"
IMAGE = "prom/alertmanager:v0.28.1"
READY_S = 60.0
NEEDED = (
    "there is no Alertmanager: neither `alertmanager` on PATH nor Docker with its image. Get it from "
    "https://prometheus.io/download, or start Docker and `docker pull " + IMAGE + "`"
)


def available() -> bool:
    """True if one can be started here."""
    return _on_path() is not None or _in_docker() is not None


@contextlib.contextmanager
def alertmanager(port: int, smtp_port: int, folder: Path) -> Iterator[None]:
    """Run one on a port, which sends its mails to a port of this machine; it ends with the block."""
    config, name = folder / "alertmanager.yml", f"eventline-alertmanager-{uuid.uuid4().hex[:8]}"
    original = CONFIG.read_text()
    assert SMARTHOST in original, f"{CONFIG} names another mail server: the mails would go there"
    config.write_text(original.replace(SMARTHOST, f"{HOST}:{smtp_port}"))
    arguments = (
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={HOST}:{port}",
        "--cluster.listen-address=",
    )
    ready = lambda: probe(HOST, port, "/-/ready")  # noqa: E731
    argv = (*_command(name, folder), *arguments)
    program = Program("alertmanager", argv, dict(os.environ), folder / "alertmanager.log", ready)
    try:
        with System([program]) as system:
            system.start("alertmanager")
            system.wait_ready(READY_S, "alertmanager")
            yield
    finally:
        if argv[0] != _on_path():  # a container outlives the client that was killed
            subprocess.run((argv[0], "rm", "--force", name), capture_output=True, check=False)


def _command(name: str, folder: Path) -> tuple[str, ...]:
    if found := _on_path():
        return (found,)
    docker = _in_docker()
    assert docker, NEEDED
    user = f"{os.getuid()}:{os.getgid()}"
    return (docker, "run", f"--name={name}", "--network=host", f"--user={user}", f"--volume={folder}:{folder}", IMAGE)


def _on_path() -> str | None:
    return shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")


def _in_docker() -> str | None:
    docker = shutil.which("docker")
    found = docker and subprocess.run((docker, "image", "inspect", IMAGE), capture_output=True, check=False)
    return docker if found and found.returncode == 0 else None
