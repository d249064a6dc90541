"""Wall clocks of single processes that move: `clock.c`, preloaded."""

import shutil
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

from services.workbench.local.processes import Program

SOURCE = Path(__file__).with_name("clock.c")
BYTES = 8  # a signed number of seconds
AHEAD_S = 1800  # a broker refuses records that are dated more than an hour ahead
NO_COMPILER = "its clock cannot be moved here: that takes Linux and a C compiler, apt-get install gcc libc6-dev"


class WallClock:
    """The offset of the wall clock of the programs that it is given to.

    Raises FileNotFoundError without a compiler, CalledProcessError without the C library's headers.
    """

    def __init__(self, folder: Path) -> None:
        self._offset, self._library = folder / "offset", folder / "clock.so"
        compiler = shutil.which("cc")
        if compiler is None:
            raise FileNotFoundError("no C compiler: apt-get install gcc libc6-dev")
        argv = (compiler, "-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE))
        subprocess.run(argv, check=True, capture_output=True)
        self._offset.write_bytes(bytes(BYTES))

    def give(self, program: Program) -> Program:
        """Return the program with this clock."""
        preloaded = {"LD_PRELOAD": str(self._library), "CLOCK_OFFSET_FILE": str(self._offset)}
        return program.with_environment(preloaded)

    def set(self, seconds: int) -> None:
        """Move the clock to so many seconds ahead of the machine's, at once."""
        with self._offset.open("r+b") as file:  # in place: the process has it mapped
            file.write(seconds.to_bytes(BYTES, "little", signed=True))


class Clocks:
    """The clocks of parts, which are right unless one is moved; see `condition.Condition`."""

    def __init__(self, clocks: Mapping[str, WallClock]) -> None:
        self._clocks = clocks

    def given(self, program: Program) -> Program:
        """Return the program with its clock, if it has one."""
        return self._clocks[program.name].give(program) if program.name in self._clocks else program

    def obstacle(self, target: str) -> str:
        """Return why the clock of a target cannot be moved."""
        return "" if target in self._clocks else NO_COMPILER

    async def begin(self, target: str) -> None:
        """Move the clock ahead."""
        self._clocks[target].set(AHEAD_S)

    async def end(self, target: str) -> None:
        """Move it back."""
        self._clocks[target].set(0)


def clocks_of(names: Collection[str], folder: Path) -> Clocks:
    """Return a clock for each program, with its files in a folder; no clock where they cannot be made."""
    clocks = dict[str, WallClock]()
    for name in names:
        own = folder / name
        own.mkdir(parents=True, exist_ok=True)
        try:
            clocks[name] = WallClock(own)
        except (FileNotFoundError, subprocess.CalledProcessError):
            return Clocks({})
    return Clocks(clocks)
