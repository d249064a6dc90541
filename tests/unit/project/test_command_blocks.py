"""Every command block of README.md and docs/*.md is executed: by a test that reads it there, or by CI literally."""

import re

import pytest

from tests.support.command_blocks import CI, ROOT, Block, all_blocks, blocks_of

COMMANDS = [block for block in all_blocks() if block.language == "sh"]
OTHERS = {"text", "ini", "python", "json", "yaml", "toml", "diff", "sql"}
SECTION = """# One
<!-- executed by tests/a.py -->
```sh
first
```
<!-- fails -->
```sh
second  # why
```
<!-- executed by tests/b.py -->
```sh
third \\
  goes on
```
## Two
```text
# no heading
```
"""


def test_a_comment_names_the_executor_of_the_blocks_that_follow_in_its_section() -> None:
    found = list(blocks_of("page", SECTION))
    assert [(block.heading, block.executor, block.note) for block in found] == [
        ("One", "tests/a.py", None),
        ("One", "tests/a.py", "fails"),
        ("One", "tests/b.py", None),
        ("Two", None, None),
    ]
    assert [block.commands() for block in found[:3]] == [["first"], ["second"], ["third goes on"]]


def test_every_block_says_by_its_language_whether_it_is_of_commands() -> None:
    unknown = {(block.page, block.language) for block in all_blocks()} - {
        (block.page, language) for block in all_blocks() for language in OTHERS | {"sh"}
    }
    assert unknown == set(), f"write ```sh for commands, or one of {sorted(OTHERS)}"


@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: f"{block.page}-{block.commands()[0]}")
def test_every_command_block_has_an_executor(block: Block) -> None:
    assert block.executor, "write <!-- executed by PATH --> after its heading: see tests/support/command_blocks.py"
    script = (ROOT / block.executor).read_text()
    if block.executor != CI:
        assert "blocks_for(__file__" in script, f"{block.executor} does not read its blocks from the page"
        return
    ends = r"(?=$|['\";]| &&| \|\|)"
    missing = [line for line in block.commands() if not re.search(re.escape(line) + ends, script, re.MULTILINE)]
    assert missing == [], f"{CI} does not execute them"
