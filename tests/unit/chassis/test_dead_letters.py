"""Dead letters: the original bytes, their origin and the reason; and the ceiling."""

from hashlib import sha256

import pytest
from msgspec.structs import replace

from services.chassis.consumer.dead_letters import LARGEST_LETTER, CeilingError, DeadLetters, Refusal
from services.chassis.messages.publisher import PublishError
from services.chassis.messages.record import Record
from tests.support.fakes import FakeLog

RECORD = Record("user.state.v1", 4, 17, 1, 99, b"\xffkey", b"\x00value", [("ce_id", b"1"), ("other", None)])
IDS = {"user.state.v1": "id-of-the-topic"}


class Seconds:
    """A monotonic clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def letters(log: FakeLog, seconds: Seconds) -> DeadLetters:
    return DeadLetters("group.dlq.v1", "group", log.open_producer, ceiling=3, monotonic=seconds)


def refused(number: int = 1) -> list[Refusal]:
    return [Refusal(RECORD, "malformed", "not JSON")] * number


def test_a_dead_letter_has_the_original_bytes_its_origin_and_the_reason(letters: DeadLetters, log: FakeLog) -> None:
    letters.put(refused(), IDS)
    (letter,) = log.records
    assert (letter.topic, letter.key, letter.value) == ("group.dlq.v1", b"\xffkey", b"\x00value")
    assert letter.headers == [
        ("ce_id", b"1"),
        ("other", None),
        ("dlq_topic", b"user.state.v1"),
        ("dlq_topic_id", b"id-of-the-topic"),
        ("dlq_partition", b"4"),
        ("dlq_offset", b"17"),
        ("dlq_timestamp", b"99"),
        ("dlq_group", b"group"),
        ("dlq_reason", b"malformed"),
        ("dlq_detail", b"not JSON"),
    ]


def test_a_record_without_readable_headers_still_has_an_origin(letters: DeadLetters, log: FakeLog) -> None:
    bare = Record("user.state.v1", 4, 17, 1, 99, None, None, None)
    letters.put([Refusal(bare, "unreadable_headers", "x" * 5000)], IDS)
    (letter,) = log.records
    assert letter.headers[0] == ("dlq_topic", b"user.state.v1")
    assert letter.headers[-1] == ("dlq_detail", b"x" * 1000)


def test_one_producer_publishes_all_dead_letters(letters: DeadLetters, log: FakeLog) -> None:
    letters.put(refused(), IDS)
    letters.put(refused(), IDS)
    assert log.story == ["open 1"]


def test_a_failed_producer_is_closed_and_the_next_dead_letter_opens_another(letters: DeadLetters, log: FakeLog) -> None:
    log.refuse = 1
    with pytest.raises(PublishError):
        letters.put(refused(), IDS)
    letters.put(refused(), IDS)
    assert log.story == ["open 1", "fail 1", "close 1", "open 2"]


def test_above_the_ceiling_nothing_is_written_and_the_last_record_is_named(letters: DeadLetters, log: FakeLog) -> None:
    letters.put(refused(3), IDS)
    with pytest.raises(CeilingError, match=r"4 records .* ceiling 3; .* user\.state\.v1\[4\]@17: malformed: not JSON"):
        letters.put(refused(), IDS)
    assert len(log.records) == 3
    assert letters.used > 1, "nobody can see why it stops"


def test_the_ceiling_counts_the_last_minute(letters: DeadLetters, log: FakeLog, seconds: Seconds) -> None:
    letters.put(refused(3), IDS)
    seconds.now = 60.5
    letters.put(refused(3), IDS)
    assert len(log.records) == 6


def test_an_unreachable_broker_does_not_count_towards_the_ceiling(letters: DeadLetters, log: FakeLog) -> None:
    log.refuse = 10
    for _ in range(10):
        with pytest.raises(PublishError):
            letters.put(refused(), IDS)
    letters.put(refused(3), IDS)
    assert len(log.records) == 10 + 3


def test_the_used_share_of_the_ceiling_counts_the_last_minute(letters: DeadLetters, seconds: Seconds) -> None:
    letters.put(refused(2), {})
    assert letters.used == pytest.approx(2 / 3)
    seconds.now += 61
    assert letters.used == 0


BLANKS = b" " * 3_000_000


def test_three_million_blanks_keep_digest_size_place_and_a_part(letters: DeadLetters, log: FakeLog) -> None:
    letters.put([Refusal(replace(RECORD, value=BLANKS), "malformed", "not JSON")], IDS)
    (letter,) = log.records
    found = dict(letter.headers)
    assert (letter.key, letter.value) == (RECORD.key, BLANKS[:65536])
    assert (found["dlq_value_size"], found["dlq_value_sha256"]) == (b"3000000", sha256(BLANKS).hexdigest().encode())
    assert (found["dlq_topic"], found["dlq_partition"], found["dlq_offset"]) == (b"user.state.v1", b"4", b"17")
    assert "dlq_headers_omitted" not in found


@pytest.mark.parametrize(
    "changed",
    [
        {"value": BLANKS},
        {"key": BLANKS},
        {"headers": [("large", BLANKS), ("ce_id", b"1")]},
        {"headers": [(f"h{number}", b"") for number in range(200_000)]},
        {"headers": [("n" * 2_000_000, None), ("ce_id", b"1")]},
        {"key": BLANKS, "value": BLANKS, "headers": [("ce_id", b"1"), ("large", BLANKS)]},
    ],
    ids=["value", "key", "header", "200,000 headers", "header name", "all"],
)
def test_a_letter_always_fits_whatever_part_of_the_record_is_too_large(
    letters: DeadLetters, log: FakeLog, changed: dict[str, object]
) -> None:
    letters.put([Refusal(replace(RECORD, **changed), "malformed", "x" * 5000)], IDS)
    (letter,) = log.records
    found = dict(letter.headers)
    assert letter.size <= LARGEST_LETTER
    assert found["dlq_reason"] == b"malformed"
    assert ("dlq_key_sha256" in found, "dlq_value_sha256" in found) == ("key" in changed, "value" in changed)
    assert ("dlq_headers_omitted" in found) == ("headers" in changed)
    assert found.get("ce_id", b"1") == b"1"
