"""The commands for the log's key: what they make, print, and refuse."""

from pathlib import Path

from typer.testing import CliRunner

from services.audit.notary.key_commands import app
from services.chassis.transparency import key_file

NAME = "example.org/log"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


def test_a_key_is_made_and_only_its_public_half_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    code, printed, _ = run("make", "--name", NAME, "--into", path)
    made = key_file.read(path, NAME)
    assert (code, printed) == (0, f"{made.vkey}\n")
    assert run("show", path) == (0, f"{made.vkey}\n", "")


def test_a_second_key_is_refused_or_the_first_one_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    first = run("make", "--name", NAME, "--into", path)
    code, _, error = run("make", "--name", NAME, "--into", path)
    assert (code, "never overwritten" in error) == (2, True)
    assert run("make", "--name", NAME, "--into", path, "--if-missing") == first
    assert run("make", "--name", "example.org/other", "--into", path, "--if-missing")[0] == 2


def test_a_rotation_makes_a_key_of_the_same_name_and_names_the_steps(tmp_path: Path) -> None:
    old, new = tmp_path / "log.key", tmp_path / "new.key"
    run("make", "--name", NAME, "--into", old)
    code, printed, _ = run("rotate", old, "--into", new)
    vkeys = [key_file.read(path, NAME).vkey for path in (old, new)]
    assert code == 0
    assert printed.startswith(f"OLD {vkeys[0]}\nNEW {vkeys[1]}\n")
    assert f"let APP_AUDIT_KEY_FILE name {new}" in printed
    assert run("rotate", old, "--into", new)[0] == 2


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    assert run("show", tmp_path / "no.key")[0] == 2
