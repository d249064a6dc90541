"""The command blocks of README.md and docs/*.md, and what executes each.

`<!-- executed by PATH -->` after a heading, or between blocks, names a test file, or `.ci/run`, for all blocks that
follow in the section. `<!-- NOTE -->` right above a block is for its executor: `fails`, `runs until the end`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CI = ".ci/run"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PART = re.compile(
    r"^(?P<heading>#+ [^\n]*)$|^<!-- (?P<comment>[^\n]*) -->$|^```(?P<language>\S*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
VARIABLES = {
    "ARGS",
    *re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE),
}  # `make` exports them
EXECUTED_BY = "executed by "
PATIENCE_S = 300.0


class Block(NamedTuple):
    """A fenced block: where it is, its text, and its comments."""

    page: str
    heading: str
    language: str
    text: str
    executor: str | None
    note: str | None

    def commands(self) -> list[str]:
        """Return the commands, a line each, without comments."""
        joined = self.text.replace("\\\n", " ")
        return [
            " ".join(line.split())
            for line in (text.partition("  #")[0] for text in joined.splitlines())
            if line.strip()
        ]


def blocks_of(page: str, text: str) -> Iterator[Block]:
    """Return the fenced blocks of a page in order."""
    heading, executor, note = "", None, None
    for part in PART.finditer(text):
        if part["heading"]:
            heading, executor, note = part["heading"].lstrip("# "), None, None
        elif part["comment"] and part["comment"].startswith(EXECUTED_BY):
            executor = part["comment"].removeprefix(EXECUTED_BY)
        elif part["comment"]:
            note = part["comment"]
        else:
            yield Block(page, heading, part["language"], part["text"], executor, note)
            note = None


def all_blocks() -> list[Block]:
    """Return every block of README.md and docs/*.md."""
    return [block for path in PAGES for block in blocks_of(str(path.relative_to(ROOT)), path.read_text())]


def blocks_for(test_file: str, page: str | None = None, language: str = "sh") -> list[Block]:
    """Return the blocks, of commands or of another language, that a test file executes, in order.

    Raises LookupError without any.
    """
    executor = str(Path(test_file).relative_to(ROOT))
    found = [block for block in all_blocks() if block.executor == executor and block.language == language]
    found = [block for block in found if page in {None, block.page}]
    if not found:
        raise LookupError(f"no block of {page or 'README.md and docs'} is marked <!-- executed by {executor} -->")
    return found


def argv(commands: str) -> tuple[str, ...]:
    """Return what runs commands as a person's shell does, but stops at the first that fails."""
    return (shutil.which("bash") or "bash", "-euo", "pipefail", "-c", commands)


def environment(**more: str) -> dict[str, str]:
    """Return a person's environment: without settings, without those of a `make` that runs the tests, and with more."""
    others = ("APP_", "MAKE", "MFLAGS")
    own = {name: value for name, value in os.environ.items() if not name.startswith(others) and name not in VARIABLES}
    return own | more


def execute(
    commands: str, extra: Mapping[str, str] | None = None, folder: Path = ROOT, seconds: float = PATIENCE_S
) -> tuple[int, str]:
    """Run commands to their end. Returns the exit code and the output."""
    run = subprocess.run(
        argv(commands),
        cwd=folder,
        env=environment(**(extra or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=seconds,
    )
    return run.returncode, run.stdout
