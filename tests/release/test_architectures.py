"""One Dockerfile for amd64 and arm64: no step names an architecture, and each package has a wheel for both.

arm64 itself is built only where a builder has it.
"""

import re
import subprocess

import pytest

from services.workbench.release.images import PLATFORMS
from tests.support.command_blocks import ROOT, environment

pytestmark = pytest.mark.release

UV = ROOT / ".eventline/venv/bin/uv"
DOCKERFILE = (ROOT / "services/Dockerfile").read_text()
SPECIFIC = re.compile(r"amd64|x86|arm64|aarch64|TARGETARCH|TARGETPLATFORM|BUILDPLATFORM|--platform|\buname\b|\bdpkg\b")
FETCHES = re.compile(r"\b(curl|wget|apt-get|apk|git clone)\b|^ADD ", re.MULTILINE)
UNREACHED = re.compile(r"error sending request|connect|dns|timed out", re.IGNORECASE)
TRIPLES = {"linux/amd64": "x86_64-unknown-linux-gnu", "linux/arm64": "aarch64-unknown-linux-gnu"}


def resolved(triple: str) -> subprocess.CompletedProcess[str]:
    """Resolve the lock for a platform, by wheels whose hashes the lock has. Nothing is installed."""
    options = ("--python-platform", triple, "--python-version", "3.13", "--no-build", "--require-hashes")
    argv = [str(UV), "pip", "install", "--dry-run", "--target", ".eventline/none", *options, "-r", "requirements.lock"]
    done = subprocess.run(argv, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=300)
    if done.returncode and UNREACHED.search(done.stderr):
        pytest.skip(f"the package index does not answer: {done.stderr.splitlines()[-1]}")
    return done


@pytest.mark.parametrize("pattern", [SPECIFIC, FETCHES], ids=["architecture", "download"])
def test_no_step_of_the_images_is_for_one_architecture(pattern: re.Pattern[str]) -> None:
    steps = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
    assert not pattern.search(steps)


def test_a_step_for_one_architecture_is_found() -> None:
    assert SPECIFIC.search("RUN test $(uname -m) = x86_64")
    assert FETCHES.search("RUN curl https://example.org/tool-linux-amd64")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_package_of_the_lock_has_a_wheel_with_a_locked_hash(platform: str) -> None:
    done = resolved(TRIPLES[platform])
    assert done.returncode == 0, done.stderr
    assert " + confluent-kafka==" in done.stderr


def test_a_platform_without_wheels_is_found() -> None:
    done = resolved("riscv64-unknown-linux")
    assert done.returncode != 0
    assert "has no usable wheels" in done.stderr
