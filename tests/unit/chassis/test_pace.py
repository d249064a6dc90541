"""The pace: an idle system never waits, a busy one works in rounds of an interval."""

from services.chassis.net.pace import Pace


class Clock:
    """A clock that only sleeping and the test move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


def a_pace(clock: Clock) -> Pace:
    return Pace(0.1, burst=3, now=lambda: clock.now, sleep=clock.sleep)


def play(pace: Pace, rounds: int) -> None:
    for _ in range(rounds):
        pace.wait()
        pace.count()


def test_the_rounds_of_a_burst_do_not_wait_and_those_behind_it_take_an_interval_each() -> None:
    clock = Clock()
    play(a_pace(clock), 5)
    assert clock.slept == [0.1, 0.1]


def test_a_round_that_found_nothing_does_not_count() -> None:
    clock = Clock()
    pace = a_pace(clock)
    for _ in range(10):
        pace.wait()
    assert clock.slept == []


def test_after_a_rest_the_burst_is_whole_again() -> None:
    clock = Clock()
    pace = a_pace(clock)
    play(pace, 5)
    clock.slept.clear()
    clock.now += 0.3
    play(pace, 3)
    assert clock.slept == []


def test_work_that_takes_an_interval_is_not_delayed() -> None:
    clock = Clock()
    pace = a_pace(clock)
    for _ in range(10):
        play(pace, 1)
        clock.now += 0.1
    assert clock.slept == []
