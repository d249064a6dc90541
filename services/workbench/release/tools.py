"""Programs of others that a release uses: Python's in an environment of their own, Go's built from pinned modules."""

import os
import shutil
import subprocess
from pathlib import Path

from services.workbench.local.system import ROOT
from services.workbench.release.command import CommandError, MissingError, environment

FOLDER = ROOT / ".eventline" / "release"
BIN = FOLDER / "bin"
BUILD_S = 1800.0
MODULES = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",
    "editorconfig-checker": "github.com/editorconfig-checker/editorconfig-checker/v3/cmd/editorconfig-checker@v3.4.0",
    "syft": "github.com/anchore/syft/cmd/syft@v1.57.1",
}


def python_tool(name: str) -> Path:
    """Return a program of requirements-release.lock. Raises MissingError where it is not installed."""
    if not (BIN / name).exists():
        raise MissingError(f"{name} is not installed: `make release` and `make test-release` install it")
    return BIN / name


def go_tool(name: str) -> Path:
    """Return a program, which is built if it is not there. Raises MissingError where Go is not installed."""
    return built_tool(name) or _built(name, _place(name).parent)


def built_tool(name: str) -> Path | None:
    """Return a program of Go that was built before, and None without."""
    program = _place(name)
    return program if program.exists() else None


def _place(name: str) -> Path:
    return FOLDER / "go" / MODULES[name].rpartition("@")[2] / name


def _built(name: str, folder: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        raise MissingError(f"{name} is not here, and Go to build it neither: see https://go.dev/dl")
    more = {"GOBIN": str(folder), "CGO_ENABLED": "0", "GOTOOLCHAIN": "auto"}
    argv = (go, "install", MODULES[name])
    done = subprocess.run(
        argv, env=environment() | more, capture_output=True, text=True, check=False, timeout=BUILD_S, cwd=os.curdir
    )
    if done.returncode:
        raise CommandError(f"{' '.join(argv)}: {done.stderr.strip()[-2000:]}")
    return folder / name
