"""Programs of other makers that judge ours, built once from Go modules into `.eventline/judges`.

Skips loudly where there is no Go: a judge that did not look is no verdict.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".eventline" / "judges"
BUILD_S = 900
MODULES = {"posix-oneshot": "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot@v1.0.4"}


def judge(name: str) -> Path:
    """Return a program, which is built if it is not there. Skips the test without Go."""
    folder = FOLDER / MODULES[name].rpartition("@")[2]
    if not (folder / name).exists():
        _build(name, folder)
    return folder / name


def _build(name: str, folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"NOT JUDGED: Go is not on PATH, so {name} was not built; get it from https://go.dev/dl")
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
    argv = (go, "install", MODULES[name])
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=BUILD_S, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(argv)}: {done.stderr}")
