"""The envelope: what is not one is refused with a sentence that names the header."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.envelope import (
    ID,
    Envelope,
    EnvelopeError,
    Headers,
    StructuredModeError,
    from_headers,
    schema_of,
    to_headers,
    to_text,
)
from tests.support.builders import NOW, an_envelope

REQUIRED = [name for name, _ in to_headers(an_envelope())]
NAMES = [*REQUIRED, "ce_causationid", "traceparent", "ce_actor", "x-other"]
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Co", "Cn", "Zl", "Zp", "Zs"]), min_size=1)
short_texts = texts.filter(lambda text: len(text) <= 64)
ids = st.from_regex(ID, fullmatch=True)
envelopes = st.builds(
    Envelope,
    id=ids,
    source=short_texts,
    type=short_texts,
    subject=short_texts,
    time=st.datetimes(timezones=st.just(UTC)),
    schema=short_texts,
    sequence=st.integers(1, 2**63 - 1),
    version=st.integers(1, 2**31 - 1),
    correlation_id=ids,
    causation_id=st.none() | ids,
    traceparent=st.none() | st.from_regex(r"00-[0-9a-f]{31}1-[0-9a-f]{15}2-0[01]", fullmatch=True),
    actor=st.none() | short_texts,
)


def with_header(name: str, value: bytes | None) -> Headers:
    full = to_headers(an_envelope(causation_id="cause-1", traceparent="00-1-2-01", actor="a-1"))
    return [(name, value) if name == each else (each, before) for each, before in full]


def complaint_about(headers: Headers) -> str:
    """Return the name of the header that is refused, nothing when none is."""
    try:
        from_headers(headers)
    except EnvelopeError as error:
        return str(error).removeprefix("header ").split()[0]
    return ""


@given(envelopes)
def test_an_envelope_is_read_back_as_it_was_written(envelope: Envelope) -> None:
    assert from_headers(to_headers(envelope)) == envelope


@given(st.lists(st.tuples(st.sampled_from(NAMES) | st.text(), st.none() | st.binary() | st.just(b"1.0")), max_size=14))
def test_arbitrary_headers_give_an_envelope_or_an_envelope_error(headers: Headers) -> None:
    with contextlib.suppress(EnvelopeError):
        assert isinstance(from_headers(headers), Envelope)


@given(st.sampled_from(NAMES), st.none() | st.binary(max_size=80))
def test_one_arbitrary_header_is_accepted_or_refused_by_its_name(name: str, value: bytes | None) -> None:
    headers = [*(pair for pair in to_headers(an_envelope()) if pair[0] != name), (name, value)]
    assert complaint_about(headers) in {"", name}


@pytest.mark.parametrize("given", ["=?utf-8?q?x=0D=0AReply-To:_evil@example.org?=", "two words", "a/b+c=", "Zo\u00eb"])
def test_a_correlation_id_of_other_characters_gives_way_to_the_events_id(given: str) -> None:
    envelope = from_headers(with_header("ce_correlationid", given.encode()))
    assert envelope.correlation_id == envelope.id


@pytest.mark.parametrize("name", REQUIRED[:-1])
def test_a_required_header_that_is_missing_is_named(name: str) -> None:
    headers = [pair for pair in to_headers(an_envelope()) if pair[0] != name]
    with pytest.raises(EnvelopeError, match=rf"^header {name} is (missing|None)"):
        from_headers(headers)


@pytest.mark.parametrize("name", REQUIRED[:-1])
def test_a_required_header_that_is_null_is_named(name: str) -> None:
    with pytest.raises(EnvelopeError, match=rf"^header {name} is (null|None)"):
        from_headers(with_header(name, None))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_header_that_is_repeated_is_named(name: str) -> None:
    headers = to_headers(an_envelope())
    with pytest.raises(EnvelopeError, match=f"^header {name} is repeated"):
        from_headers([*headers, *(pair for pair in headers if pair[0] == name)])


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("ce_specversion", b"0.3", r"is b'0.3', expected b'1.0'"),
        ("ce_id", b"", "is b'': not 1 to 64 letters, digits and -_.:"),
        ("ce_id", b"x" * 65, "not 1 to 64 letters, digits and -_.:"),
        ("ce_id", b"event-1\n", "not 1 to 64 letters, digits and -_.:"),
        ("ce_id", "event-\u0661".encode(), "not 1 to 64 letters, digits and -_.:"),
        ("ce_correlationid", b"x" * 65, "not 1 to 64 printable characters"),
        ("ce_subject", b"a\0b", "not 1 to 64 printable characters"),
        ("ce_source", b"\xff", "can't decode byte 0xff"),
        ("ce_time", b"yesterday", "Invalid isoformat string: 'yesterday'"),
        ("ce_time", b"2026-11-22T12:00:00", "a time without a zone"),
        ("ce_time", b"0001-01-01T00:00:00+14:00", "a time outside the years 1 to 9999 in UTC"),
        ("ce_time", b"9999-12-31T23:59:59-14:00", "a time outside the years 1 to 9999 in UTC"),
        ("ce_sequence", b"-1", "not a number from 1 to 9223372036854775807"),
        ("ce_sequence", b"9" * 5000, "limit"),
        ("ce_subjectversion", b"0", "not a number from 1 to 2147483647"),
        ("ce_subjectversion", b"2147483648", "not a number from 1 to 2147483647"),
        ("ce_subjectversion", b"1_0", "not a number from 1 to 2147483647"),
    ],
)
def test_a_header_that_is_not_of_its_form_is_named_with_its_value(name: str, value: bytes, complaint: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        from_headers(with_header(name, value))
    assert str(caught.value).startswith(f"header {name} is b'")
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_value_that_is_wrong_is_reported_even_when_another_header_is_missing() -> None:
    headers = [pair for pair in with_header("ce_time", b"yesterday") if pair[0] != "ce_subjectversion"]
    with pytest.raises(EnvelopeError, match="ce_time"):
        from_headers(headers)


def test_headers_of_others_are_ignored_however_many_and_however_often() -> None:
    headers: Headers = [*to_headers(an_envelope()), *[("x-other", None)] * 10_000]
    assert from_headers(headers) == an_envelope()


@pytest.mark.parametrize(
    "content_type",
    [b"application/cloudevents+json", b"Application/CloudEvents+JSON; charset=utf-8", b"application/cloudevents+avro"],
)
def test_the_content_type_tells_the_structured_mode_even_beside_the_headers_of_the_binary_one(
    content_type: bytes,
) -> None:
    with pytest.raises(StructuredModeError, match="the attributes are not in headers"):
        from_headers(with_header("content-type", content_type))


def test_times_are_written_in_utc_with_microseconds_whatever_their_zone() -> None:
    in_berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    assert to_text(in_berlin) == "2026-11-22T12:00:00.000000Z"
    assert from_headers(to_headers(an_envelope(time=in_berlin))).time == NOW


def test_a_time_before_1970_is_a_time() -> None:
    assert from_headers(with_header("ce_time", b"1969-12-31T23:59:59Z")).time == datetime(
        1969, 12, 31, 23, 59, 59, tzinfo=UTC
    )


def test_sequences_sort_as_text_as_they_do_as_numbers() -> None:
    written = [dict(to_headers(an_envelope(sequence=number)))["ce_sequence"] for number in (2, 10, 2**63 - 1)]
    assert written == sorted(written, key=lambda text: text or b"")


def test_a_schema_is_an_absolute_uri_with_its_version() -> None:
    assert schema_of("user.registered") == "urn:eventline:user.registered:1"
    assert schema_of("user.registered", 2) == "urn:eventline:user.registered:2"


@pytest.mark.parametrize("given", [b"", b"00-1-2-01", b"\xff\0", b"x" * 1_500_000, b"00-" + b"0" * 1_047_995])
def test_a_trace_context_that_does_not_parse_is_ignored_whatever_its_size(given: bytes) -> None:
    assert from_headers(with_header("traceparent", given)).traceparent is None


def test_a_trace_context_of_a_later_version_keeps_its_four_known_parts() -> None:
    ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    given = f"cc-{ids}-{'x' * 1_000_000}".encode()
    assert from_headers(with_header("traceparent", given)).traceparent == f"00-{ids}"


@pytest.mark.parametrize("cause", [b"", b"x" * 65, b"=?utf-8?q?x?=", b"a\0b", b"\xff"])
def test_a_causation_id_of_another_form_is_dropped_and_its_record_is_read(cause: bytes) -> None:
    assert from_headers(with_header("ce_causationid", cause)).causation_id is None


def test_an_event_that_nobody_authenticated_asked_for_has_no_header_for_it() -> None:
    assert "ce_actor" not in dict(to_headers(an_envelope()))


@pytest.mark.parametrize("actor", ["ada", "auth0|5f7c", "ada@example.org", "https://issuer.example.org/ada", "x" * 256])
def test_an_actor_of_another_system_is_read_as_it_was_written(actor: str) -> None:
    assert from_headers(to_headers(an_envelope(actor=actor))).actor == actor


@pytest.mark.parametrize("actor", [b"", b"x" * 257, "é".encode() * 129, b"a\0b", b"a\nb", b"\xff", None])
def test_an_actor_of_another_form_is_dropped_and_its_record_is_read(actor: bytes | None) -> None:
    assert from_headers(with_header("ce_actor", actor)).actor is None
