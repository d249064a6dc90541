"""Dead letters: the original bytes, their origin and the reason; and the ceiling on refusals."""

from hashlib import sha256

import pytest
from msgspec.structs import replace

from services.chassis.consumer.held.ceiling import RefusalCeiling
from services.chassis.consumer.held.letter import LARGEST_LETTER, letter
from services.chassis.consumer.held.reasons import CeilingError, Refusal, State
from services.chassis.consumer.held.record import Held
from services.chassis.messages.record import Outgoing, Record
from tests.support.builders import NOW

RECORD = Record("user.state.v1", 4, 17, 1, 99, b"\xffkey", b"\x00value", [("ce_id", b"1"), ("other", None)])
BLANKS = b" " * 3_000_000


class Seconds:
    """A monotonic clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def ceiling(seconds: Seconds) -> RefusalCeiling:
    return RefusalCeiling(3, seconds)


def refused(number: int = 1) -> list[Refusal]:
    return [Refusal(RECORD, "malformed", "not JSON")] * number


def a_letter(record: Record = RECORD, detail: str = "not JSON", reason: str = "malformed") -> Outgoing:
    one = Held(record=record, topic_id="id-of-the-topic", state=State.DEAD, reason=reason, detail=detail, since=NOW)
    return letter(one, "group.dlq.v1", "group")


def test_a_dead_letter_has_the_original_bytes_its_origin_and_the_reason() -> None:
    letter = a_letter()
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


def test_a_record_without_readable_headers_still_has_an_origin() -> None:
    letter = a_letter(Record("user.state.v1", 4, 17, 1, 99, None, None, None), "x" * 5000, "unreadable_headers")
    assert letter.headers[0] == ("dlq_topic", b"user.state.v1")
    assert letter.headers[-1] == ("dlq_detail", b"x" * 1000)


def test_above_the_ceiling_the_last_record_is_named(ceiling: RefusalCeiling) -> None:
    ceiling.check(refused(3))
    ceiling.count(3)
    with pytest.raises(CeilingError, match=r"4 records .* ceiling 3; .* user\.state\.v1\[4\]@17: malformed: not JSON"):
        ceiling.check(refused())
    assert ceiling.used > 1, "nobody can see why it stops"


def test_the_ceiling_counts_the_last_minute(ceiling: RefusalCeiling, seconds: Seconds) -> None:
    ceiling.count(3)
    seconds.now = 60.5
    ceiling.check(refused(3))


def test_what_was_rolled_back_does_not_count_towards_the_ceiling(ceiling: RefusalCeiling) -> None:
    for _ in range(10):
        ceiling.check(refused(3))
    assert ceiling.used == 0


def test_the_used_share_of_the_ceiling_counts_the_last_minute(ceiling: RefusalCeiling, seconds: Seconds) -> None:
    ceiling.count(2)
    assert ceiling.used == pytest.approx(2 / 3)
    seconds.now += 61
    assert ceiling.used == 0


def test_three_million_blanks_keep_digest_size_place_and_a_part() -> None:
    letter = a_letter(replace(RECORD, value=BLANKS))
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
def test_a_letter_always_fits_whatever_part_of_the_record_is_too_large(changed: dict[str, object]) -> None:
    letter = a_letter(replace(RECORD, **changed), "x" * 5000)
    found = dict(letter.headers)
    assert letter.size <= LARGEST_LETTER
    assert found["dlq_reason"] == b"malformed"
    assert ("dlq_key_sha256" in found, "dlq_value_sha256" in found) == ("key" in changed, "value" in changed)
    assert ("dlq_headers_omitted" in found) == ("headers" in changed)
    assert found.get("ce_id", b"1") == b"1"
