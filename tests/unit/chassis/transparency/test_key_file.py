"""Key files: made once, refused while others can read them, and of the log's name."""

import base64
from pathlib import Path

import pytest

from services.chassis.transparency import key_file
from services.chassis.transparency.key_file import KeyFileError

NAME = "example.org/log"


def test_a_key_is_made_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    made = key_file.make(tmp_path / "keys" / "log.key", NAME)
    assert (tmp_path / "keys" / "log.key").stat().st_mode & 0o777 == 0o400
    assert key_file.read(tmp_path / "keys" / "log.key", NAME) == made


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    made = key_file.make(tmp_path / "log.key", NAME)
    with pytest.raises(KeyFileError, match="exists: a key is never overwritten"):
        key_file.make(tmp_path / "log.key", NAME)
    assert key_file.read(tmp_path / "log.key", NAME) == made


def test_a_name_that_no_key_may_have_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be the name of a key"):
        key_file.make(tmp_path / "log.key", "my log")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mode", "refused"), [(0o400, False), (0o440, False), (0o404, True), (0o420, True)])
def test_a_file_that_others_can_read_is_refused_and_one_that_a_group_can_read_is_not(
    tmp_path: Path, mode: int, *, refused: bool
) -> None:
    path = tmp_path / "log.key"
    key_file.make(path, NAME)
    path.chmod(mode)
    if not refused:
        assert key_file.read(path, NAME).name == NAME
        return
    with pytest.raises(KeyFileError, match=rf"mode {mode:o}\)[:] chmod 400"):
        key_file.read(path, NAME)


def test_a_seed_gets_the_configured_name(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    path.write_bytes(base64.b64encode(bytes(range(32))) + b"\n")
    path.chmod(0o400)
    read = key_file.read(path, NAME)
    assert (read.name, read.seed) == (NAME, bytes(range(32)))


@pytest.mark.parametrize("text", ["", "secret", base64.b64encode(bytes(31)).decode(), "PRIVATE+KEY+a+b"])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.key"
    path.write_text(text)
    path.chmod(0o400)
    with pytest.raises(KeyFileError, match="holds no key") as refused:
        key_file.read(path, NAME)
    assert not text or text not in str(refused.value)


def test_a_key_of_another_name_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    key_file.make(tmp_path / "log.key", NAME)
    with pytest.raises(KeyFileError, match=r"'example.org/other' is configured"):
        key_file.read(tmp_path / "log.key", "example.org/other")
    with pytest.raises(KeyFileError, match="cannot be read"):
        key_file.read(tmp_path / "no.key", NAME)


def test_public_keys_are_read_a_line_each(tmp_path: Path) -> None:
    made = key_file.make(tmp_path / "log.key", NAME)
    (tmp_path / "logs").write_text(f"# logs\n\n{made.vkey}\n")
    assert key_file.verifiers(tmp_path / "logs") == [made.verifier]
    (tmp_path / "logs").write_text("no key\n")
    with pytest.raises(KeyFileError, match="cannot be used"):
        key_file.verifiers(tmp_path / "logs")
