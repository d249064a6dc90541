"""Our witness as a process for the log of the notary's tests, and a client that keeps what it has cosigned."""

import base64
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from services.chassis.transparency.witness_client import WitnessClient
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Process
from tests.support.notary_log import KEY, ORIGIN, WITNESS_KEY
from tests.support.witnessed_log import WitnessedLog
from tests.support.witnesses import a_program

READY_S = 60.0


class RecordingClient(WitnessClient):
    """A client that writes each cosigned note to a file for good, as the witness keeps the newest one only."""

    def __init__(self, url: str, file: Path) -> None:
        super().__init__(url, WITNESS_KEY.cosignature_verifier)
        self._file = file

    def add(self, old: int, proof: Sequence[bytes], note: bytes) -> list[str]:
        """Return the cosignatures; see `WitnessClient.add`."""
        lines = super().add(old, proof, note)
        add_line(self._file, note)
        return lines

    def cosigned(self) -> list[bytes]:
        """Return every note that was cosigned for any process with this file."""
        return lines_of(self._file)


class WitnessProcess:
    """The witness with its state and its log in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        key = folder / "witness.key"
        key.write_text(base64.b64encode(WITNESS_KEY.seed).decode())
        key.chmod(0o400)
        log = WitnessedLog(ORIGIN)
        log.signer = KEY
        program = a_program(f"sqlite:///{folder}/witness.db", folder, log)
        self._program = program.with_environment({"APP_WITNESS_NAME": WITNESS_KEY.name})
        self.url = f"http://{HOST}:{program.environment['APP_HTTP_PORT']}"
        self._start()

    def restart(self) -> None:
        """Kill it, and start it again."""
        self.kill()
        self._start()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()

    def answers(self) -> list[int]:
        """Return each status that it has answered to a checkpoint, by its log."""
        lines = (line for line in self._program.log.read_text().splitlines() if '"/add-checkpoint"' in line)
        return [int(msgspec.json.decode(line)["status"]) for line in lines]

    def _start(self) -> None:
        self._process = Process(self._program)
        self._process.wait_ready(READY_S)


def add_line(file: Path, content: bytes) -> None:
    """Append a line of base64, for good once this returns."""
    with file.open("ab") as lines:
        lines.write(base64.b64encode(content) + b"\n")
        lines.flush()
        os.fsync(lines.fileno())


def lines_of(file: Path) -> list[bytes]:
    """Return the contents of the lines of a file."""
    return [base64.b64decode(line) for line in file.read_bytes().splitlines()] if file.exists() else []
