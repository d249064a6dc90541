"""A wall clock of one process that a test moves: `clock.c`, preloaded."""

import shutil
import subprocess
from pathlib import Path

from services.workbench.local.processes import Program

SOURCE = Path(__file__).with_name("clock.c")
BYTES = 8  # a signed number of seconds


class WallClock:
    """The offset of the wall clock of the programs that it is given to. Raises FileNotFoundError without a compiler."""

    def __init__(self, folder: Path) -> None:
        self._offset, self._library = folder / "offset", folder / "clock.so"
        compiler = shutil.which("cc")
        if compiler is None:
            raise FileNotFoundError("no C compiler: apt-get install gcc libc6-dev")
        argv = (compiler, "-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE))
        subprocess.run(argv, check=True)
        self._offset.write_bytes(bytes(BYTES))

    def give(self, program: Program) -> Program:
        """Return the program with this clock."""
        preloaded = {"LD_PRELOAD": str(self._library), "CLOCK_OFFSET_FILE": str(self._offset)}
        return program.with_environment(preloaded)

    def set(self, seconds: int) -> None:
        """Move the clock to so many seconds ahead of the machine's, at once."""
        with self._offset.open("r+b") as file:  # in place: the process has it mapped
            file.write(seconds.to_bytes(BYTES, "little", signed=True))
