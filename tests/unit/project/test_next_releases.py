"""The contract of the releases that `tests/e2e` upgrades to: both read both versions, the second writes the new one."""

from typing import Any

import pytest

from services.contracts import shapes
from services.contracts.envelope import schema_of
from tests.support.next_releases import FIRST, KIND, SECOND, WRITES, contract

BY_VERSION = {
    1: b'{"personal":{"full_name":"Ada","locale":"en"}}',
    2: b'{"personal":{"name":"Ada","locale":"en"}}',
}


@pytest.mark.parametrize(("release", "version"), [(FIRST, 1), (SECOND, 2)])
def test_both_releases_read_both_versions_and_write_their_own(release: str, version: int) -> None:
    names: dict[str, Any] = {"__name__": "services.contracts.user"}
    exec(contract(WRITES[release]), names)  # noqa: S102  # our own module
    read = shapes.readers(KIND, names["ProfileChanged"])
    facts = [read[schema_of(KIND, number)](content) for number, content in BY_VERSION.items()]
    assert [shapes.written(fact) for fact in facts] == [BY_VERSION[version]] * 2
    assert shapes.written_version(names["ProfileChanged"]) == version
