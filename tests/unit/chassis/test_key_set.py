"""The key set of a log and its witness: made once, kept, and of the names that are asked for."""

from pathlib import Path

import pytest

from services.chassis.transparency import key_set
from services.chassis.transparency.key_file import KeyFileError
from services.chassis.transparency.key_set import FILES, Parties

PARTIES = Parties("example.org/log", "example.org/witness", "http://127.0.0.1:1")


def test_a_second_call_keeps_the_keys_and_writes_the_address_anew(tmp_path: Path) -> None:
    key_set.ensure(tmp_path, PARTIES)
    before = {file: (tmp_path / file).read_text() for file in FILES}
    key_set.ensure(tmp_path, PARTIES._replace(url="http://127.0.0.1:2"))
    after = {file: (tmp_path / file).read_text() for file in FILES}
    assert after == before | {key_set.POLICY: before[key_set.POLICY].replace(":1", ":2")}


def test_a_key_of_another_name_is_refused(tmp_path: Path) -> None:
    key_set.ensure(tmp_path, PARTIES)
    with pytest.raises(KeyFileError, match="use one name"):
        key_set.ensure(tmp_path, PARTIES._replace(origin="example.org/other"))
