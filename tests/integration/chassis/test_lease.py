"""The lease: one holder at a time, an epoch that rises, and a cursor that only the present epoch can move."""

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from services.chassis.database.database import Database
from services.chassis.outbox import lease as module
from services.chassis.outbox.lease import Lease, LeaseLostError, Leases
from tests.support.builders import an_event_store

LONG = timedelta(seconds=60)
OVER = timedelta(0)  # a lease that has ended as soon as it is taken
PATIENCE_S = 20.0
DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def _tables(database: Database) -> None:
    an_event_store(database)


def take(database: Database, holder: str = "mine", duration: timedelta = LONG) -> Lease:
    taken = Leases(database, holder, duration).take()
    assert isinstance(taken, Lease), f"not free for {taken} s"
    return taken


def test_a_free_lease_is_taken_with_the_next_epoch_and_the_cursor(database: Database) -> None:
    leases = Leases(database, "mine", LONG)
    assert take(database) == Lease(epoch=1, cursor=0)
    assert leases.cursor() == 0


def test_who_comes_second_hears_how_long_to_wait(database: Database) -> None:
    take(database)
    wait = Leases(database, "other", LONG).take()
    assert isinstance(wait, float)
    assert 0 < wait <= LONG.total_seconds()


def test_a_lease_that_has_ended_is_taken_over(database: Database) -> None:
    take(database, duration=OVER)
    assert take(database, "other").epoch == 2


def test_a_lease_ends_by_itself_by_the_databases_clock(database: Database) -> None:
    take(database, duration=timedelta(seconds=0.2))
    other = Leases(database, "other", LONG)
    deadline = time.monotonic() + PATIENCE_S
    while isinstance(wait := other.take(), float):
        assert time.monotonic() < deadline, f"still {wait} s"
        threading.Event().wait(wait)
    assert wait.epoch == 2


def test_an_end_a_day_ahead_is_no_lease_since_a_clock_wrote_it_that_was_wrong(database: Database) -> None:
    mine = take(database)
    with database.write() as connection:
        connection.execute(update(module.relay).values(expires_at=module.relay.c.expires_at + DAY_MS))
    other = take(database, "other")
    with pytest.raises(LeaseLostError):
        Leases(database, "mine", LONG).renew(mine)
    assert other.epoch == 2


def test_a_clock_that_is_set_back_a_little_ends_no_lease(database: Database) -> None:
    take(database)
    with database.write() as connection:
        connection.execute(update(module.relay).values(expires_at=module.relay.c.expires_at + 5_000))
    assert isinstance(Leases(database, "other", LONG).take(), float)


def test_a_renewed_lease_lasts_from_now_on(database: Database) -> None:
    mine = take(database, duration=OVER)
    Leases(database, "mine", LONG).renew(mine)
    assert isinstance(Leases(database, "other", LONG).take(), float)


def test_a_lease_given_back_is_free_at_once_and_keeps_its_cursor(database: Database) -> None:
    leases, mine = Leases(database, "mine", LONG), take(database)
    leases.advance(mine, 17)
    leases.give_back(mine)
    assert take(database, "other") == Lease(epoch=2, cursor=17)


def test_who_was_taken_over_can_neither_renew_nor_advance_nor_give_back(database: Database) -> None:
    leases, mine = Leases(database, "mine", LONG), take(database, duration=OVER)
    other = take(database, "other")
    leases_of_other = Leases(database, "other", LONG)
    leases_of_other.advance(other, 5)
    with pytest.raises(LeaseLostError, match="epoch 1"):
        leases.renew(mine)
    with pytest.raises(LeaseLostError, match="epoch 1"):
        leases.advance(mine, 99)
    with pytest.raises(LeaseLostError, match="epoch 1"):
        leases.give_back(mine)
    assert leases.cursor() == 5
    assert isinstance(leases.take(), float)


def test_a_lease_that_ended_unnoticed_still_moves_the_cursor_while_nobody_has_taken_over(database: Database) -> None:
    mine = take(database, duration=OVER)
    Leases(database, "mine", LONG).advance(mine, 3)
    assert take(database, "other") == Lease(epoch=2, cursor=3)


def test_of_many_who_come_at_once_one_gets_it(database: Database) -> None:
    taken: list[Lease | float] = []
    threads = [
        threading.Thread(target=lambda name: taken.append(Leases(database, name, LONG).take()), args=(str(number),))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [lease for lease in taken if isinstance(lease, Lease)] == [Lease(1, 0)]
    assert len(taken) == 6
    with database.read() as connection:
        assert connection.execute(select(module.relay.c.epoch)).scalar_one() == 1
