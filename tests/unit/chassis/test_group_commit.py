"""Group commit: waiting commands are committed together, and each caller gets its own outcome."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from services.chassis.outbox import group_commit as module
from services.chassis.outbox.group_commit import GroupCommit, Handler, Retrying
from tests.support.builders import a_telemetry

PATIENCE_S = 10.0


class Doubling:
    """Handles numbers by doubling them; holds the first group until `go_on` is set."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.taken = threading.Event()
        self.go_on = threading.Event()
        self.error: Exception | None = None

    def handle(self, commands: Sequence[int]) -> list[int]:
        self.groups.append(list(commands))
        self.taken.set()
        assert self.go_on.wait(PATIENCE_S)
        if self.error:
            raise self.error
        return [2 * number for number in commands]

    async def until_taken(self) -> None:
        """Wait until the first group is in hand."""
        assert await asyncio.to_thread(self.taken.wait, PATIENCE_S)


@contextmanager
def running(handler: Handler[int, int], limit: int = 128) -> Iterator[GroupCommit[int, int]]:
    stop = threading.Event()
    writer = GroupCommit[int, int](handler, limit, a_telemetry())
    thread = threading.Thread(target=writer.run, args=(stop,))
    thread.start()
    try:
        yield writer
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


async def submit_all(writer: GroupCommit[int, int], numbers: Sequence[int], doubling: Doubling) -> list[object]:
    """Submit the first number, the rest while it is being committed."""
    first = asyncio.create_task(writer.submit(numbers[0]))
    await doubling.until_taken()
    rest = [asyncio.create_task(writer.submit(number)) for number in numbers[1:]]
    await asyncio.sleep(0)  # they are queued now
    doubling.go_on.set()
    return list(await asyncio.gather(first, *rest, return_exceptions=True))


def test_waiting_commands_are_committed_as_one_group_and_each_gets_its_own_reply() -> None:
    doubling = Doubling()
    with running(doubling) as writer:
        assert asyncio.run(submit_all(writer, range(10), doubling)) == [2 * number for number in range(10)]
    assert doubling.groups == [[0], list(range(1, 10))]


def test_a_group_has_at_most_as_many_commands_as_allowed() -> None:
    doubling = Doubling()
    with running(doubling, limit=4) as writer:
        asyncio.run(submit_all(writer, range(10), doubling))
    assert [len(group) for group in doubling.groups] == [1, 4, 4, 1]


def test_every_command_of_a_group_gets_its_error_and_the_next_group_is_served() -> None:
    doubling = Doubling()
    doubling.error = ValueError("full")
    with running(doubling) as writer:
        assert [str(error) for error in asyncio.run(submit_all(writer, range(3), doubling))] == ["full"] * 3
        doubling.error = None
        assert asyncio.run(writer.submit(4)) == 8


def test_a_client_that_disconnects_does_not_keep_the_others_from_their_replies() -> None:
    async def one_leaves(writer: GroupCommit[int, int]) -> int:
        first = asyncio.create_task(writer.submit(1))
        await doubling.until_taken()
        leaving, staying = asyncio.create_task(writer.submit(2)), asyncio.create_task(writer.submit(3))
        await asyncio.sleep(0)
        leaving.cancel()
        doubling.go_on.set()
        await first
        return await staying

    doubling = Doubling()
    with running(doubling) as writer:
        assert asyncio.run(one_leaves(writer)) == 6


def test_a_command_that_nobody_waits_for_any_more_is_not_committed() -> None:
    async def one_gives_up(writer: GroupCommit[int, int]) -> None:
        first = asyncio.create_task(writer.submit(1))
        await doubling.until_taken()
        late = asyncio.create_task(writer.submit(2))
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.sleep(0)
        doubling.go_on.set()
        assert [await first, await writer.submit(3)] == [2, 6]

    doubling = Doubling()
    with running(doubling) as writer:
        asyncio.run(one_gives_up(writer))
    assert doubling.groups == [[1], [3]]


def test_commands_that_wait_at_the_stop_are_still_committed() -> None:
    async def stopped_meanwhile() -> list[int]:
        stop = threading.Event()
        writer = GroupCommit[int, int](doubling, 128, a_telemetry())
        thread = threading.Thread(target=writer.run, args=(stop,))
        submitted = [asyncio.create_task(writer.submit(number)) for number in (1, 2)]
        await asyncio.sleep(0)
        stop.set()
        doubling.go_on.set()
        thread.start()
        replies = await asyncio.gather(*submitted)
        thread.join(PATIENCE_S)
        return list(replies)

    doubling = Doubling()
    assert asyncio.run(stopped_meanwhile()) == [2, 4]


def test_a_command_whose_server_has_ended_is_committed_all_the_same() -> None:
    async def leave(writer: GroupCommit[int, int]) -> None:
        waiting = asyncio.create_task(writer.submit(1))
        await doubling.until_taken()
        waiting.cancel()

    doubling = Doubling()
    with running(doubling) as writer:
        asyncio.run(leave(writer))
        doubling.go_on.set()
        assert asyncio.run(writer.submit(2)) == 4
    assert doubling.groups == [[1], [2]]


def test_a_command_after_the_end_is_refused_at_once() -> None:
    with running(Doubling()) as writer:
        pass
    with pytest.raises(ConnectionError, match="has stopped"):
        asyncio.run(asyncio.wait_for(writer.submit(1), PATIENCE_S))


class Failing:
    """Fails `times` times before it succeeds."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left = times
        self.error = error
        self.calls = 0

    def handle(self, commands: Sequence[int]) -> list[int]:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return list(commands)


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_S", (0.0, 0.0))
    monkeypatch.setattr(module, "IDLE_S", 0.01)


def test_a_group_is_tried_again_while_the_database_is_busy() -> None:
    failing = Failing(2, OperationalError("", {}, Exception("busy")))
    assert Retrying(failing).handle([1]) == [1]
    assert failing.calls == 3


def test_an_unreachable_database_is_an_error_after_three_attempts() -> None:
    failing = Failing(9, OperationalError("", {}, Exception("unreachable")))
    with pytest.raises(OperationalError):
        Retrying(failing).handle([1])
    assert failing.calls == 3


def test_other_errors_are_not_tried_again() -> None:
    failing = Failing(9, ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        Retrying(failing).handle([1])
    assert failing.calls == 1


def test_a_command_that_fails_fails_alone() -> None:
    class Dividing(Doubling):
        def handle(self, commands: Sequence[int]) -> list[int]:
            return [20 // number for number in super().handle(commands)]

    dividing = Dividing()
    with running(dividing) as writer:
        held, one, zero, two = asyncio.run(submit_all(writer, (5, 1, 0, 2), dividing))
    assert (held, one, two) == (2, 10, 5)
    assert isinstance(zero, ZeroDivisionError)
