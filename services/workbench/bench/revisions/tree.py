"""Sources that can be run: those of a git revision, exported into a folder, or those of this folder."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from services.workbench.bench.environment import environment
from services.workbench.local.processes import Program
from services.workbench.local.system import ROOT

LOCK = "requirements.lock"
EXPORTED = ("services", LOCK)
HOME = ROOT / ".eventline" / "bench-before-venv"  # for a revision whose packages are not the present ones


class RevisionError(ValueError):
    """A revision cannot be exported; the message gives the next step."""


class Tree(msgspec.Struct, frozen=True):
    """Sources in a folder, named as git does, and the Python that has their packages."""

    name: str
    folder: Path
    python: Path

    def run(self, program: Program) -> Program:
        """Return the program with its Python modules from this folder."""
        # Without PYTHONSAFEPATH, `python -m` would find the modules of the current folder first.
        found = {"PYTHONPATH": str(self.folder), "PYTHONSAFEPATH": "1"}
        argv = (str(self.python), *program.argv[1:])
        return msgspec.structs.replace(program, argv=argv, environment={**program.environment, **found})


def commit(revision: str) -> str:
    """Return the short id of a revision's commit. Raises RevisionError."""
    options = ("--short", "--verify", "--quiet", "--end-of-options")
    return _git("rev-parse", *options, f"{revision}^{{commit}}", of=revision)


def present() -> Tree:
    """Return the sources of this folder, uncommitted changes included. Raises RevisionError."""
    return Tree(_git("describe", "--always", "--dirty", of="HEAD"), ROOT, Path(sys.executable))


@contextmanager
def exported(revision: str) -> Iterator[Tree]:
    """Yield the sources of a revision in a temporary folder. Raises RevisionError."""
    name = commit(revision)
    with TemporaryDirectory(prefix=f"eventline-{name}-") as folder:
        archive, sources = Path(folder) / "sources.zip", Path(folder) / "sources"
        _git("archive", "--format=zip", f"--output={archive}", name, *EXPORTED, of=revision)
        shutil.unpack_archive(archive, sources)
        yield Tree(name, sources, _python(sources / LOCK))


def _python(lock: Path) -> Path:
    if lock.read_bytes() == (ROOT / LOCK).read_bytes():
        return Path(sys.executable)
    return environment(HOME, lock, "the packages of the earlier revision")


def _git(*argv: str, of: str) -> str:
    try:
        command = ["git", "-C", str(ROOT), *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        raise RevisionError("git is not installed, and an earlier revision comes from it: install git") from None
    except subprocess.CalledProcessError as error:
        why = f" ({error.stderr.strip()})" if error.stderr else ""
        raise RevisionError(
            f"git has no revision {of!r} of this folder{why}: name a commit, a branch or a tag that `git log` shows; "
            "a shallow clone has more after `git fetch --unshallow`"
        ) from None
