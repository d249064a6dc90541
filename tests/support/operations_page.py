"""The files of settings of docs/operations.md, as they are written there."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.support.command_blocks import Block, all_blocks

SETTING = re.compile(r"(?P<comment>#?)(?P<name>APP_\w+)=(?P<value>.*)")


class Line(NamedTuple):
    """A setting of a file; without effect if it is commented out."""

    name: str
    value: str
    commented: bool


class File(NamedTuple):
    """A file of settings by its name: `kafka` for kafka.env."""

    name: str
    text: str

    def lines(self) -> Iterator[Line]:
        """Return the settings in order, without quotes."""
        for found in map(SETTING.fullmatch, self.text.splitlines()):
            if found:
                yield Line(found["name"], found["value"].strip("'"), bool(found["comment"]))

    def changed(self, values: Mapping[str, str]) -> str:
        """Return the file's text with other values; a value for a setting that it does not have has no effect."""
        return re.sub(
            r"^(APP_\w+)=.*$", lambda found: f"{found[1]}='{values[found[1]]}'" if found[1] in values else found[0],
            self.text, flags=re.MULTILINE,
        )  # fmt: skip


def blocks(language: str) -> list[Block]:
    """Return the page's blocks of a language."""
    return [block for block in all_blocks() if (block.page, block.language) == ("docs/operations.md", language)]


def files() -> dict[str, File]:
    """Return the page's files by name."""
    named = [(re.match(r"# ([a-z-]+)\.env", block.text), block.text) for block in blocks("ini")]
    return {found[1]: File(found[1], text) for found, text in named if found}
