"""The bytes of entries and chains, against vectors built with hashlib and literals."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit import domain
from services.audit.domain import Chain, Entry, Search
from services.chassis.messages.record import Headers

ZERO = b"\0" * 32
ORIGIN_SEED = b"audit-chain/v1\neventline.local/audit\nuser.events.v1\nabcdefghijklmnopqrstuv\n3\n"


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def an_entry(key: bytes | None, value: bytes | None, headers: Headers | None) -> Entry:
    return Entry(
        position=0,
        topic="user.events.v1",
        topic_id="abcdefghijklmnopqrstuv",
        partition=3,
        offset=0x0102030405,
        ts_type=1,
        ts_ms=-1,
        flags=domain.flags_of(key, value, headers),
        key=key,
        value=value,
        headers=domain.pack_headers(headers),
        leaf=b"",
        chain=b"",
        recorded_at=0,
        type=None,
        subject=None,
        correlation_id=None,
        event_time=None,
    )


def by_hand(flags: int, digests: bytes, chain_before: bytes) -> bytes:
    place = b"\x00\x00\x00\x03\x00\x00\x00\x01\x02\x03\x04\x05\x01\xff\xff\xff\xff\xff\xff\xff\xff"
    return b"\x01\x0euser.events.v1" + place + bytes([flags]) + digests + chain_before


HEADER_BYTES = b"\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x02bc\x00\x00\x00\x02\xc3\xa4\xff\xff\xff\xff"
HEADERS: Headers = [("a", b"bc"), ("ä", None)]


@pytest.mark.parametrize(
    ("key", "value", "headers", "flags", "digests"),
    [
        (b"k", b"v", HEADERS, 0, sha(b"k") + sha(b"v") + sha(HEADER_BYTES)),
        (None, b"v", HEADERS, 1, ZERO + sha(b"v") + sha(HEADER_BYTES)),
        (b"k", None, HEADERS, 2, sha(b"k") + ZERO + sha(HEADER_BYTES)),
        (b"k", b"v", None, 4, sha(b"k") + sha(b"v") + ZERO),
        (None, None, None, 7, ZERO + ZERO + ZERO),
        (b"", b"", [], 0, sha(b"") + sha(b"") + sha(b"\x00\x00\x00\x00")),
    ],
    ids=["whole", "null key", "null value", "unreadable headers", "nothing", "empty but not null"],
)
def test_an_entry_has_the_encoding_of_the_design(
    key: bytes | None, value: bytes | None, headers: Headers | None, flags: int, digests: bytes
) -> None:
    entry = an_entry(key, value, headers)
    before = sha(ORIGIN_SEED)
    assert domain.encode(entry, before) == by_hand(flags, digests, before)
    assert domain.link(entry, before) == sha(b"\x02" + by_hand(flags, digests, before))
    assert domain.leaf(entry, before) == sha(b"\x00" + by_hand(flags, digests, before))


def test_a_chain_starts_from_its_log_topic_and_partition() -> None:
    chain = domain.new_chain("eventline.local/audit", "user.events.v1", "abcdefghijklmnopqrstuv", 3)
    assert chain.head == sha(ORIGIN_SEED)
    assert chain.head.hex() == "d15dab984f2823f2590157c2e6005a666c77ae9717e9f084e37796b5f45c1bd2"


def test_each_entry_of_a_chain_covers_the_one_before() -> None:
    chain = domain.new_chain("eventline.local/audit", "user.events.v1", "abcdefghijklmnopqrstuv", 3)
    first, second = an_entry(b"k", b"v", HEADERS), an_entry(b"k", b"v", HEADERS)
    second.offset += 1
    chain.add(first)
    chain.add(second)
    digests = sha(b"k") + sha(b"v") + sha(HEADER_BYTES)
    one = sha(b"\x02" + by_hand(0, digests, sha(ORIGIN_SEED)))
    two = sha(b"\x02" + by_hand(0, digests, one).replace(b"\x02\x03\x04\x05\x01", b"\x02\x03\x04\x06\x01"))
    assert (first.chain, second.chain) == (one, two)
    assert chain == Chain("abcdefghijklmnopqrstuv", 3, "user.events.v1", first.offset, second.offset + 1, 2, two)
    assert two.hex() == "8d6782acdb974c657aeaba917ed734db7b587bb66bee1e2f44c21ed75af660b4"


def test_a_chain_refuses_an_offset_below_its_next_one() -> None:
    chain = domain.new_chain("eventline.local/audit", "user.events.v1", "abcdefghijklmnopqrstuv", 3)
    chain.add(an_entry(b"k", b"v", []))
    with pytest.raises(ValueError, match="has reached offset 4328719366 already"):
        chain.add(an_entry(b"k", b"v", []))


@given(st.none() | st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.none() | st.binary())))
def test_headers_survive_their_canonical_form(headers: Headers | None) -> None:
    assert domain.unpack_headers(domain.pack_headers(headers)) == headers


def test_bytes_that_are_not_canonical_headers_are_refused() -> None:
    with pytest.raises(ValueError, match="not canonical headers"):
        domain.unpack_headers(b"\x00\x00\x00\x01\x00\x00")


def test_search_columns_are_read_from_headers() -> None:
    headers: Headers = [
        ("ce_type", b"user.registered"),
        ("ce_subject", b"u-1"),
        ("ce_correlationid", b"c-1"),
        ("ce_time", b"2026-11-22T13:00:00.000001+01:00"),
    ]
    found = domain.search(headers)
    moment = datetime(2026, 11, 22, 12, 0, 0, 1, tzinfo=UTC)
    assert found == Search("user.registered", "u-1", "c-1", moment)
    assert found.event_time == 1795348800000001


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"a\0b", b"x" * 257], ids=repr)
def test_a_value_that_no_search_column_can_hold_is_ignored(value: bytes | None) -> None:
    assert domain.search([("ce_type", value), ("ce_subject", b"u-1")]) == Search(None, "u-1", None, None)


@pytest.mark.parametrize("text", [b"now", b"2026-11-22T12:00:00", b"0001-01-01T00:00:00+14:00", b"2026-13-01T00:00Z"])
def test_an_invalid_time_is_ignored(text: bytes) -> None:
    assert domain.search([("ce_time", text)]) == Search(None, None, None, None)


@given(st.none() | st.lists(st.tuples(st.sampled_from(["ce_type", "ce_time", "ce_subject"]), st.binary())))
def test_no_headers_raise_an_error(headers: Headers | None) -> None:
    domain.search(headers)
