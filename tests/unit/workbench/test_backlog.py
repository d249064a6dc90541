"""The backlog is what the user service would have written."""

from datetime import UTC, datetime
from itertools import chain

from services.contracts.catalog import USER_NOTICES, USER_STATE
from services.contracts.envelope import from_headers
from services.workbench.backlog import VERSIONS, chunks


def test_each_change_has_its_state_and_its_notice_in_order_by_user() -> None:
    written = list(chain.from_iterable(chunks(100, datetime(2026, 1, 1, tzinfo=UTC))))
    assert [record.topic for record in written] == [USER_STATE.name, USER_NOTICES.name] * 50
    states = [from_headers(record.headers) for record in written if record.topic == USER_STATE.name]
    assert [state.version for state in states] == list(range(1, VERSIONS + 1)) * 5
    assert len({state.subject for state in states}) == 5
    assert len({state.id for state in states}) == 50
