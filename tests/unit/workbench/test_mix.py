"""Checks the mix of the load: commands and users."""

import random
from collections import Counter

from services.workbench.load.mix import Mix, Planned


def a_plan(seed: int = 1, users: int = 100) -> list[Planned]:
    return list(Mix(users, random.Random(seed)).plan(rate=200, seconds=20))


def test_the_same_seed_gives_the_same_requests() -> None:
    assert a_plan(seed=3) == a_plan(seed=3)
    assert a_plan(seed=3) != a_plan(seed=4)


def test_there_are_as_many_requests_as_the_rate_reports_in_order_of_time() -> None:
    plan = a_plan()
    moments = [planned.at for planned in plan]
    assert len(plan) == 4000
    assert moments == sorted(moments)
    assert 0 <= moments[0] < moments[-1] <= 20


def test_some_users_act_far_more_often_than_others() -> None:
    reads = Counter(planned.user for planned in a_plan() if planned.kind == "read").most_common()
    assert reads[0][1] > 20 * reads[len(reads) // 2][1]


def test_nobody_acts_before_registering_or_after_leaving() -> None:
    ranks = set(range(1, 101))
    for planned in a_plan():
        if planned.kind == "register":
            assert planned.user not in ranks
            ranks.add(planned.user)
        else:
            assert planned.user in ranks, planned
        if planned.kind == "leave":
            ranks.remove(planned.user)


def test_a_population_can_be_planned_for_again() -> None:
    mix = Mix(10, random.Random(1))
    first = [planned.user for planned in mix.plan(50, 2) if planned.kind == "register"]
    second = [planned.user for planned in mix.plan(50, 2) if planned.kind == "register"]
    assert first + second == list(range(11, 11 + len(first) + len(second)))
