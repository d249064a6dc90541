"""Programs of other makers that judge ours, built once from Go modules into `.eventline/judges`.

Skips loudly where there is no Go: a judge that did not look is no verdict.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".eventline" / "judges"
SOURCES = ROOT / "tests/judges/go"
BUILD_S, RUN_S = 900, 120
MODULES = {
    "posix-oneshot": "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot@v1.0.4",
    "litewitness": "filippo.io/torchwood/cmd/litewitness@v0.10.0",
}


def judge(name: str) -> Path:
    """Return a program, which is built if it is not there. Skips the test without Go."""
    folder = FOLDER / MODULES[name].rpartition("@")[2]
    if not (folder / name).exists():
        _build(name, folder, MODULES[name])
    return folder / name


def own_judge(name: str) -> Path:
    """Return a program of `tests/judges/go`, which calls a library of another maker. Skips the test without Go."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCES.rglob("*.*")))).hexdigest()
    folder = FOLDER / digest[:16]
    if not (folder / name).exists():
        _build(name, folder, f"./{name}", SOURCES)
    return folder / name


def run(*argv: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a judge to its end."""
    return subprocess.run(argv, input=given, capture_output=True, text=True, timeout=RUN_S, check=False)


def sumdb(document: Mapping[str, object]) -> subprocess.CompletedProcess[str]:
    """Let golang.org/x/mod judge notes and proofs; see `go/sumdb`."""
    given = json.dumps(document, default=lambda content: base64.b64encode(content).decode())
    return run(own_judge("sumdb"), given=given)


def _build(name: str, folder: Path, package: str, within: Path = ROOT) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"NOT JUDGED: Go is not on PATH, so {name} was not built; get it from https://go.dev/dl")
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0", "GOTOOLCHAIN": "auto"}
    argv = (go, "install", package)
    done = subprocess.run(
        argv, cwd=within, env=environment, capture_output=True, text=True, timeout=BUILD_S, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(argv)}: {done.stderr}")
