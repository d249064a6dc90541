"""tessera's `posix-oneshot`, a log of another maker, has its checkpoints cosigned by our witness and publishes them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.chassis.transparency import key_file
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Verifier
from services.chassis.transparency.note import Note
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Process
from tests.support.judge_programs import judge
from tests.support.witnessed_log import WitnessedLog
from tests.support.witnesses import NAME, a_program

pytestmark = pytest.mark.long
ORIGIN = "example.org/tessera"
READY_S, ONESHOT_S = 60.0, 120.0


class Tessera:
    """A log of tessera in a folder, whose witness is ours."""

    def __init__(self, program: Path, folder: Path, url: str) -> None:
        self.witness = Verifier.parse(key_file.read(folder / "witness.key", NAME).cosignature_vkey)
        self._folder = folder
        (folder / "policy").write_text(f"witness own {self.witness.vkey} {url}\nquorum own\n")
        (folder / "entries").mkdir()
        self._argv = (
            str(program),
            f"--storage_dir={folder / 'log'}",
            f"--private_key={folder / 'log.key'}",
            f"--witness_policy_file={folder / 'policy'}",
        )

    def append(self, *entries: str) -> subprocess.CompletedProcess[str]:
        """Append entries, and wait until a checkpoint with them is published."""
        for path in (self._folder / "entries").iterdir():
            path.unlink()
        for number, entry in enumerate(entries):
            (self._folder / "entries" / f"{number}").write_text(entry)
        argv = [*self._argv, f"--entries={self._folder / 'entries'}/*"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=ONESHOT_S, check=False)

    def published(self) -> tuple[Checkpoint, int]:
        """Return the published checkpoint and the time of our cosignature, which is verified."""
        note = Note.parse((self._folder / "log" / "checkpoint").read_bytes())
        return Checkpoint.parse(note.text), self.witness.check(note)


@pytest.fixture
def tessera(tmp_path: Path) -> Iterator[Tessera]:
    program = judge("posix-oneshot")
    log = WitnessedLog(ORIGIN)
    log.signer = key_file.make(tmp_path / "log.key", ORIGIN)
    witness = a_program(f"sqlite:///{tmp_path}/witness.db", tmp_path, log)
    process = Process(witness)
    try:
        process.wait_ready(READY_S)
        yield Tessera(program, tmp_path, f"http://{HOST}:{witness.environment['APP_HTTP_PORT']}")
    finally:
        process.kill()


def test_a_log_of_tessera_is_published_with_our_cosignature_and_grows(tessera: Tessera) -> None:
    done = tessera.append("one", "two", "three")
    assert done.returncode == 0, done.stderr
    assert tessera.published()[0].size == 3
    done = tessera.append("four", "five")
    assert done.returncode == 0, done.stderr
    checkpoint, seconds = tessera.published()
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 5)
    assert seconds > 0
