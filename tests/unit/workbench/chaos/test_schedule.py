"""Schedules: equal seeds give equal faults, one after the other, each kind once before any comes again."""

from itertools import pairwise

import pytest

from services.workbench.chaos.schedule import schedule
from services.workbench.faults.table import ZOMBIE_S, FaultError, all_faults

SECONDS = 100.0
POSSIBLE = [fault for fault in all_faults() if fault.verb not in ("poison", "suspend")]


def test_equal_seeds_give_equal_faults_and_others_do_not() -> None:
    assert schedule(POSSIBLE, 7, 8, SECONDS) == schedule(POSSIBLE, 7, 8, SECONDS)
    assert schedule(POSSIBLE, 7, 8, SECONDS) != schedule(POSSIBLE, 8, 8, SECONDS)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("number", [1, 8, 40])
def test_faults_do_not_overlap_and_end_within_the_campaign(seed: int, number: int) -> None:
    planned = schedule(POSSIBLE, seed, number, SECONDS)
    ends = [one.at + one.lasts for one in planned]
    assert len(planned) == number
    assert all(one.lasts > 0 for one in planned)
    assert all(end < one.at for end, one in zip(ends, planned[1:], strict=False))
    assert planned[0].at > 0
    assert ends[-1] <= SECONDS


def test_each_fault_comes_once_before_any_comes_again() -> None:
    faults = [one.fault for one in schedule(POSSIBLE, 1, 2 * len(POSSIBLE), SECONDS)]
    assert set(faults[: len(POSSIBLE)]) == set(faults[len(POSSIBLE) :]) == set(POSSIBLE)


def test_no_fault_is_of_records_that_stay_dead() -> None:
    verbs = {one.fault.verb for one in schedule(all_faults(), 1, 100, 100 * SECONDS)}
    assert verbs == {"kill", "pause", "suspend", "slow", "stall", "fill", "write-protect", "cut", "shift"}


@pytest.mark.parametrize("seed", range(20))
def test_a_zombie_has_its_time_or_is_left_out(seed: int) -> None:
    long = schedule(all_faults(), seed, 30, 30 * ZOMBIE_S / 0.7)
    assert all(one.lasts >= ZOMBIE_S for one in long if one.fault.verb == "suspend")
    assert any(one.fault.verb == "suspend" for one in long)
    assert all(one.at + one.lasts < after.at for one, after in pairwise(long))
    assert not any(one.fault.verb == "suspend" for one in schedule(all_faults(), seed, 30, 10 * ZOMBIE_S))


def test_a_system_that_cannot_be_broken_is_refused() -> None:
    with pytest.raises(FaultError, match="no part that can be broken"):
        schedule([], 1, 1, SECONDS)
