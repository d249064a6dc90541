"""Letters of dead records: a process that is killed at any step leaves one row, and at least one letter of it."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from services.chassis.consumer.held import letter_relay as module
from services.chassis.consumer.held import letter_store
from services.chassis.consumer.held.letter_relay import LetterRelay, LetterTopic
from services.chassis.messages.publisher import PublishError
from services.chassis.messages.record import Outgoing
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.sole_lease import SoleLease
from services.workbench.polling import until
from tests.support.builders import an_event_store
from tests.support.consumer_harness import GROUP, World


class KilledError(BaseException):
    """The process ends here: nothing handles it."""


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    world = World(database_url)
    yield world
    world.database.close()


def killed(*_: object) -> None:
    raise KilledError


def origin(letter: Outgoing) -> tuple[bytes | None, ...]:
    found = dict(letter.headers)
    return tuple(found[f"dlq_{name}"] for name in ("topic", "topic_id", "partition", "offset"))


def before_commit(world: World, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(world, "before_commit", killed)
    consumer, member = world.consumer()
    consumer.process_batch(member)


def after_commit(world: World, patch: pytest.MonkeyPatch) -> None:
    consumer, member = world.consumer()
    patch.setattr(consumer._processor._offsets, "stored", killed)  # noqa: SLF001  # the first step after the commit
    consumer.process_batch(member)


def before_publish(world: World, patch: pytest.MonkeyPatch) -> None:
    consumer, member = world.consumer()
    consumer.process_batch(member)
    patch.setattr(world.letters, "open_producer", killed)
    world.relay().publish()


def before_mark(world: World, patch: pytest.MonkeyPatch) -> None:
    consumer, member = world.consumer()
    consumer.process_batch(member)
    patch.setattr(letter_store, "published", killed)
    world.relay().publish()


def after_mark(world: World, _: pytest.MonkeyPatch) -> None:
    consumer, member = world.consumer()
    consumer.process_batch(member)
    world.relay().publish()
    raise KilledError


@pytest.mark.parametrize(
    ("step", "letters"),
    [(before_commit, 1), (after_commit, 1), (before_publish, 1), (before_mark, 2), (after_mark, 1)],
)
def test_a_process_killed_at_any_step_of_a_refusal_leaves_one_row_and_at_least_one_letter(
    world: World, step: Callable[[World, pytest.MonkeyPatch], None], letters: int
) -> None:
    world.write("a", "bad", "b")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        step(world, patch)
    consumer, member = world.consumer()  # of the next process
    consumer.process_batch(member)
    world.relay().publish()
    (one,) = world.held()
    assert (one.record.offset, one.published_at is not None, world.due()) == (1, True, [])
    assert world.effects() == ["a", "b"]
    place = (b"numbers.v1", b"id-of-the-topic", b"0", b"1")
    assert [origin(letter) for letter in world.letters.records] == [place] * letters


def test_a_letter_that_the_broker_refuses_holds_up_no_other_and_its_record_stays(world: World) -> None:
    world.write("bad1", "bad2", "bad3")
    world.letters.refused_values = {b"bad2"}
    consumer, member = world.consumer()
    consumer.process_batch(member)
    world.relay().publish()
    assert world.letters.values() == [b"bad1", b"bad3"]
    assert [one.published_at is not None for one in world.held()] == [True, False, True]
    assert world.due() == []


def test_a_failed_producer_is_closed_and_the_next_letters_open_another(world: World) -> None:
    world.write("bad")
    world.letters.refuse = 1
    consumer, member = world.consumer()
    consumer.process_batch(member)
    relay = world.relay()
    with pytest.raises(PublishError):
        relay.publish()
    relay.publish()
    assert world.letters.story == ["open 1", "fail 1", "close 1", "open 2"]


def test_only_the_process_that_leads_publishes_letters(world: World) -> None:
    an_event_store(world.database)
    first, second = (
        SoleLease(Leases(world.database, name, timedelta(seconds=60)), partial(next, iter(range(0, 100, 10))))
        for name in ("first", "second")
    )
    assert [first.leads(), second.leads(), first.leads(), second.leads()] == [True, False, True, False]


def test_why_letters_wait_is_shown_and_the_service_stays_ready_and_alive(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKOFF_S", (0.01,))
    world.write("bad")
    consumer, member = world.consumer()
    consumer.process_batch(member)
    world.letters.refuse = 10**6
    stop, health = threading.Event(), world.telemetry.health
    target = LetterTopic("group.dlq.v1", GROUP, lambda: True, world.letters.open_producer, threading.Event())
    thread = threading.Thread(target=LetterRelay(target, world.database, world.telemetry).run, args=(stop,))
    thread.start()
    try:
        until("the reason is shown", lambda: health.absent().get("letters") == "the broker is unreachable")
        assert "letters" not in health.missing()
        assert health.stalled() == []
        world.letters.refuse = 0
        until("it is gone", lambda: "letters" not in health.absent() and not world.due())
    finally:
        stop.set()
        thread.join()
