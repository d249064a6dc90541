"""The page of held records has the table of reasons that is in the code, and the states are those of the alerts."""

from pathlib import Path
from typing import get_args

from services.chassis.consumer.held.reasons import CAUSES, LATER_RECORDS, DeadReason, ParkedReason, State

PAGE = Path("docs/held-records.md").read_text()


def test_the_page_has_every_reason_with_its_state_meaning_and_remedy() -> None:
    table = [line for line in PAGE.splitlines() if line.startswith("| `") and " held " not in line.split("|")[1]]
    rows = [f"| `{one.reason}` | {one.state} | {one.meaning} | {one.remedy} |" for one in CAUSES]
    assert [line for line in table if "`held " not in line] == rows


def test_the_page_has_what_later_records_of_the_key_do() -> None:
    for state, later in LATER_RECORDS.items():
        assert f"- **{state}**: later records of the key {later}." in PAGE


def test_every_reason_is_in_the_table_once_and_has_the_state_that_its_type_states() -> None:
    dead = [one.reason for one in CAUSES if one.state is State.DEAD]
    parked = [one.reason for one in CAUSES if one.state is State.PARKED]
    assert (sorted(dead), sorted(parked)) == (sorted(get_args(DeadReason)), sorted(get_args(ParkedReason)))
