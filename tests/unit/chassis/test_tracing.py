"""Contexts as texts, and what is spanned: nothing while tracing is off, a batch and its recorded parts while on."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from services.chassis.consumer.spans import processing
from services.chassis.messages import traceparent
from services.chassis.messages.event import Metadata, StoredEvent
from services.chassis.messages.record import Record
from services.chassis.outbox.spans import appending, publishing
from services.chassis.telemetry import tracing
from services.chassis.telemetry.metrics.exemplars import exemplar
from services.chassis.telemetry.tracing import OFF, Work
from tests.support.builders import NOW, Recording, a_new_event, a_record, an_envelope

TRACE, OTHER = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
SAMPLED_TOO = f"00-{OTHER}-00f067aa0ba902b7-03"
UNSAMPLED = f"00-{OTHER}-00f067aa0ba902b7-00"


def a_record_of(traceparent: str | None, offset: int = 7) -> Record:
    return a_record(an_envelope(traceparent=traceparent), b"{}", offset=offset)


def an_event_of(traceparent: str | None, number: int = 1) -> StoredEvent:
    return StoredEvent(number, NOW, a_new_event(number, metadata=Metadata("c-1", traceparent=traceparent)))


@pytest.mark.parametrize(
    ("text", "means"),
    [
        (SAMPLED, SAMPLED),
        (UNSAMPLED, UNSAMPLED),
        (f"01{SAMPLED[2:]}", SAMPLED),
        (f"cc{SAMPLED[2:]}-what-the-future-will-be-like", SAMPLED),
        (f"cc{SAMPLED[2:]}.what-the-future-will-not-be-like", None),
        (f"{SAMPLED}-more", None),
        (f"ff{SAMPLED[2:]}", None),
        (SAMPLED.upper(), None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (SAMPLED[:-1], None),
        (f" {SAMPLED}", None),
        ("", None),
    ],
)
def test_a_traceparent_is_read_as_w3c_reports(text: str, means: str | None) -> None:
    assert traceparent.read(text) == means


def test_the_last_bit_of_the_flags_reports_whether_a_trace_is_recorded() -> None:
    assert [traceparent.is_sampled(one) for one in (SAMPLED, SAMPLED_TOO, UNSAMPLED, None)] == [
        True,
        True,
        False,
        False,
    ]


def test_an_exemplar_names_a_trace_that_is_recorded_and_no_other() -> None:
    assert [exemplar(one) for one in (SAMPLED, UNSAMPLED, None)] == [{"trace_id": TRACE}, None, None]


def test_while_tracing_is_off_batches_go_through_untouched_and_contexts_as_they_came() -> None:
    records, events = [a_record_of(SAMPLED)], [an_event_of(SAMPLED)]
    with processing(OFF, "group", records) as taken, publishing(OFF, events) as published, appending(OFF, "s", [None]):
        assert taken is records
        assert published is events
        assert tracing.current() is None
    assert OFF.start(Work("any", "server"), SAMPLED).traceparent == SAMPLED


def told_by(program: str, environment: Mapping[str, str]) -> str:
    """Return what a fresh interpreter prints."""
    argv = (sys.executable, "-c", program)
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout


def test_without_an_endpoint_a_service_loads_no_package_of_opentelemetry() -> None:
    program = (
        "import os, sys; from services.chassis.telemetry.tracing import tracing; from services.user import bootstrap; "
        "made = tracing('user', os.environ); "
        "print(made.on, {name.split('.')[0] for name in sys.modules} & {'opentelemetry', 'requests'} or 'nothing')"
    )
    assert told_by(program, {}) == "False nothing\n"
    assert told_by(program, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}).startswith("True {")


def test_each_recorded_record_of_a_batch_has_a_span_in_its_own_trace_and_one_links_them() -> None:
    made = Recording()
    records = [a_record_of(one, number) for number, one in enumerate([SAMPLED, UNSAMPLED, None, SAMPLED_TOO])]
    with processing(made, "audit", records) as taken:
        assert tracing.current() == made.spans[0].traceparent
        assert all(span.error is None for span in made.spans)
    whole, first, last = made.spans
    assert (whole.work.name, whole.parent, whole.links) == ("process", None, (SAMPLED, SAMPLED_TOO))
    assert whole.work.attributes["messaging.batch.message_count"] == 4
    assert [(span.work.name, span.parent) for span in (first, last)] == [
        ("process user.events.v1", SAMPLED),
        ("process user.events.v1", SAMPLED_TOO),
    ]
    assert first.work.attributes["cloudevents.event_id"] == an_envelope().id
    assert last.work.attributes["messaging.kafka.offset"] == 3
    assert [record.context for record in taken] == [first.traceparent, None, None, last.traceparent]
    assert [record.headers for record in taken] == [record.headers for record in records]
    assert [span.error for span in made.spans] == [""] * 3
    assert tracing.current() is None


def test_a_batch_with_one_recorded_record_needs_no_span_that_links() -> None:
    made = Recording()
    with processing(made, "audit", [a_record_of(UNSAMPLED), a_record_of(SAMPLED)]):
        assert tracing.current() == made.spans[0].traceparent
    assert [(span.parent, span.links) for span in made.spans] == [(SAMPLED, ())]


def test_a_batch_that_nobody_records_has_no_span() -> None:
    made, records = Recording(), [a_record_of(UNSAMPLED), a_record_of(None)]
    with processing(made, "audit", records) as taken:
        assert taken is records
    assert made.spans == []


def test_an_error_leaves_its_kind_on_every_span_and_not_its_words() -> None:
    made = Recording()
    with (
        pytest.raises(ValueError, match="ada"),
        processing(made, "audit", [a_record_of(SAMPLED), a_record_of(SAMPLED_TOO)]),
    ):
        raise ValueError("no mailbox ada@example.org")
    assert [(span.error, span.noted) for span in made.spans] == [("ValueError", {})] * 3


def test_a_published_event_carries_its_span_and_the_others_what_they_had() -> None:
    made = Recording()
    events = [an_event_of(SAMPLED, 1), an_event_of(UNSAMPLED, 2), an_event_of(None, 3)]
    with publishing(made, events) as published:
        contexts = [stored.event.metadata.traceparent for stored in published]
    (span,) = made.named("publish user.registered")
    assert (span.parent, span.work.kind) == (SAMPLED, "producer")
    assert contexts == [span.traceparent, UNSAMPLED, None]
    assert [stored.sequence for stored in published] == [1, 2, 3]


def test_a_group_commit_is_spanned_in_the_trace_of_each_command_that_is_recorded() -> None:
    made = Recording()
    with appending(made, "sqlite", iter([SAMPLED, None, UNSAMPLED, SAMPLED_TOO])):
        pass
    assert [(span.parent, span.links) for span in made.spans] == [
        (None, (SAMPLED, SAMPLED_TOO)),
        (SAMPLED, ()),
        (SAMPLED_TOO, ()),
    ]
    assert {span.work.attributes["db.operation.batch.size"] for span in made.spans} == {4}
