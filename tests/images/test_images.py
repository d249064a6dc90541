"""The images: what is in them, what is not, and how they run. `make images` builds them."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.images.docker import SEALED, Image

ROOT = Path(__file__).parents[2]
MOST_KIB = 200_000_000 // 1024

pytestmark = pytest.mark.images


def test_an_image_adds_less_than_200_mb_to_its_base(image: Image) -> None:
    """The recipe adds two folders; each file counts with the blocks that it takes."""
    added = [int(line.split()[0]) for line in image.shell("du -sk /opt/venv /app").splitlines()]
    assert sum(added) < MOST_KIB


def test_it_runs_as_a_numbered_user_who_is_not_root(image: Image) -> None:
    """Kubernetes can tell from a number alone that it is not root."""
    assert image.config()["User"] == "10001:10001"


def test_no_other_services_code_is_inside(image: Image) -> None:
    """Contracts, chassis, the service's own folder and the operators' commands are there, no workbench and no tests."""
    assert set(image.shell("ls /app").split()) == {"services"}
    assert set(image.shell("ls /app/services").split()) == {
        "__init__.py", "__pycache__", "contracts", "chassis", "console", image.service
    }  # fmt: skip


def test_nothing_to_build_or_install_with_is_inside(image: Image) -> None:
    """Neither as a program nor as a module of any Python."""
    tools = "pip pip3 uv gcc cc c++ ld make cargo"
    assert image.shell(f"for tool in {tools}; do command -v $tool; done; true") == ""
    modules = (
        "for tool in pip ensurepip uv mypy pytest; do for python in /opt/venv/bin/python /usr/local/bin/python3; do"
    )
    assert image.shell(f'{modules} $python -c "import $tool" 2>/dev/null && echo $python $tool; done; done; true') == ""


def test_no_package_of_the_workbench_is_inside(image: Image) -> None:
    """The lock has them too, for development: it alone would not notice one that comes back."""
    names = image.python("import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))").split()
    assert {"aiohttp", "aiosmtpd", "pytest"}.isdisjoint(names)


def test_every_package_is_the_locks(image: Image) -> None:
    """So each was checked against the lock's hashes: a package that the lock lacks would not have been."""
    found = image.python(
        "import importlib.metadata as m; print(*{f'{d.name}=={d.version}' for d in m.distributions()}, sep='\\n')"
    )
    locked = re.findall(r"^([a-z0-9-]+==[^ ;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert {
        re.sub(r"[_.]", "-", line.split("==")[0].lower()) + "==" + line.split("==")[1] for line in found.split()
    } <= set(locked)


def test_everything_is_compiled(image: Image) -> None:
    """A start compiles nothing, which a read-only root would forget each time."""
    script = """
import importlib.util, pathlib
sources = [p for folder in ("/app", "/opt/venv/lib") for p in pathlib.Path(folder).rglob("*.py")]
print(len(sources), *(p for p in sources if not pathlib.Path(importlib.util.cache_from_source(p)).exists()))
"""
    number, *without = image.python(script).split()
    assert int(number) > 1000
    assert without == []


def test_its_labels_tell_what_it_is(image: Image) -> None:
    """The version is the project's."""
    labels = image.config()["Labels"]
    assert labels["org.opencontainers.image.title"] == f"eventline/{image.service}"
    assert (
        labels["org.opencontainers.image.version"]
        == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    )
    assert {"revision", "source", "licenses", "description", "base.name"} <= {
        name.removeprefix("org.opencontainers.image.") for name in labels
    }


def test_it_reports_what_it_lacks_on_a_read_only_root(image: Image) -> None:
    """Without settings a service names them; the console lists its commands."""
    done = image.run(*(["--help"] if image.service == "console" else []))
    if image.service == "console":
        assert done.returncode == 0
        assert "topics" in done.stdout
    else:
        assert done.returncode != 0
        assert "APP_DATABASE_URL is missing" in done.stdout + done.stderr


def test_a_signal_reaches_the_service(image: Image) -> None:
    """The user service, without a broker, ends by itself on SIGTERM, long before it would be killed."""
    if image.service != "user":
        pytest.skip("one service stands for all: they have one entry point")
    given = ("KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9", "DATABASE_URL=sqlite:////tmp/user.db", "AUTH_UNPROTECTED=yes")
    settings = [f"-eAPP_{each}" for each in given]
    name = image.docker.output("run", "--detach", *SEALED[1:], "--tmpfs=/tmp", *settings, image.name)
    try:
        image.docker.output("exec", name, "python", "-c", READY)
        image.docker.output("stop", "--time=30", name)
        assert json.loads(image.docker.output("inspect", name))[0]["State"]["ExitCode"] == 0
    finally:
        image.docker.run("rm", "--force", name)


READY = """
import time, urllib.request
deadline = time.monotonic() + 30
while True:
    try:
        urllib.request.urlopen("http://127.0.0.1:9464/readyz", timeout=3)
        break
    except OSError as last:
        if time.monotonic() > deadline:
            raise SystemExit(f"not ready within 30 s: {last}")
        time.sleep(0.2)
"""
