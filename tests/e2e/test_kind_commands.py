"""The commands of docs/resources.md on the release that `make deploy` left in the cluster."""

from tests.support.command_blocks import blocks_for, execute


def test_the_documented_commands_measure_the_release_idle_and_under_load() -> None:
    for block in blocks_for(__file__):
        code, output = execute(f"{block.text}\nwait")
        assert code == 0, f"{block.text}{output}"
        assert output.count("| postgres |") == 2, output  # idle, and under load
        assert "Nothing missing, nothing repeated." in output
