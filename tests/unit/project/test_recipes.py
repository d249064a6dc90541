"""The diffs of docs/extending.md apply to the code; tests/integration/workbench/test_recipes.py executes them."""

import subprocess

import pytest

from tests.support.command_blocks import ROOT, blocks_for

PAGE = "docs/extending.md"
DIFFS = blocks_for(str(ROOT / "tests/integration/workbench/test_recipes.py"), PAGE, "diff")
RECIPES = list(dict.fromkeys(block.heading for block in DIFFS))
REPAIR = f"make the change by hand, and put what `git diff -U2` prints into {PAGE}"


def problems(diff: str) -> str:
    checked = subprocess.run(
        ["git", "apply", "--check", "-"],  # noqa: S607
        cwd=ROOT,
        input=diff,
        capture_output=True,
        text=True,
        check=False,
    )
    return checked.stderr if checked.returncode else ""


def test_every_recipe_with_a_diff_is_found() -> None:
    assert RECIPES == ["A new field", "A new type of event", "A new topic", "A new version of a fact"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_applies_to_the_present_code(recipe: str) -> None:
    assert problems("".join(block.text for block in DIFFS if block.heading == recipe)) == "", REPAIR


def test_the_recipes_apply_one_after_the_other() -> None:
    assert problems("".join(block.text for block in DIFFS)) == "", REPAIR


def test_a_diff_of_other_code_is_found() -> None:
    assert "LICENSE" in problems("--- a/LICENSE\n+++ b/LICENSE\n@@ -1,2 +1,2 @@\n no such line\n-another\n+new\n")
