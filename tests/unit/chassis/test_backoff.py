"""Backoff: growing delays, the last one repeated, the first one again after a success."""

from services.chassis.net.backoff import Backoff


def test_delays_grow_to_the_last_which_repeats_until_a_reset() -> None:
    backoff = Backoff(0.1, 0.5, 1.0)
    assert [backoff.next() for _ in range(4)] == [0.1, 0.5, 1.0, 1.0]
    assert backoff.failures == 4
    backoff.reset()
    assert (backoff.failures, backoff.next()) == (0, 0.1)
