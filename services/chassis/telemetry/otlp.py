"""Spans made with OpenTelemetry and sent to a collector, as OTLP over HTTP. The one module that knows its packages.

OpenTelemetry's own environment variables keep their meaning; where no sampler is named, one new trace in a hundred is
recorded, and the decision of an incoming `traceparent` is followed.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_SDK_DISABLED,
    OTEL_TRACES_SAMPLER,
)
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBasedTraceIdRatio, Sampler
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan

from services.chassis.settings.environment import SettingsError
from services.chassis.telemetry.tracing import ENDPOINTS, OFF, Attributes, Span, Tracing, Work

RATIO = 0.01  # a span costs 70 µs of CPU, a consumed record 34: of one trace in ten a consumer would feel a fifth
FLUSH_S = 3.0
COMPLAIN_EVERY_S = 60.0
MOST_LINKS = 128  # OpenTelemetry's own default; what is more would be built to be dropped
NOWHERE = Context()
ERROR = "error.type"
KINDS = {kind.name.lower(): kind for kind in SpanKind}

log = structlog.get_logger()


class Exporting:
    """Makes spans and hands them to a processor. `sampler` None: as the environment configures it."""

    on = True

    def __init__(self, resource: Resource, processor: SpanProcessor, sampler: Sampler | None) -> None:
        self._processor = processor
        self._tracer = _provider(resource, processor, sampler).get_tracer("eventline")
        # A span that joins traces belongs to none of them: it is recorded because they are.
        self._joining = _provider(resource, processor, ALWAYS_ON).get_tracer("eventline")

    def start(self, work: Work, parent: str | None, links: Sequence[str] = ()) -> Span:
        """Start a span; see `tracing.Tracing`."""
        tracer = self._joining if links else self._tracer
        context = NOWHERE if parent is None else set_span_in_context(NonRecordingSpan(_context(parent)), NOWHERE)
        joined = [Link(_context(link)) for link in links[:MOST_LINKS]]
        return _Started(tracer.start_span(work.name, context, KINDS[work.kind], work.attributes, joined))

    def close(self) -> None:
        """Export what is queued, for some seconds at most: an unreachable collector must not hold up a stop."""
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_S)


class _Started:
    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0xFF:02x}"

    def note(self, attributes: Attributes, name: str = "") -> None:
        self._span.set_attributes(dict(attributes))
        if ERROR in attributes:
            self._span.set_status(Status(StatusCode.ERROR))
        if name:
            self._span.update_name(name)

    def end(self, error: str = "") -> None:
        if error:
            self.note({ERROR: error})
        self._span.end()


class _Complaints(logging.Handler):
    """The exporter's complaints, now and then: while a collector is unreachable they come every few seconds."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._silent_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Log one complaint in a while."""
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + COMPLAIN_EVERY_S
            log.warning("traces are not exported", reason=record.getMessage())


def exporting(service: str, environment: Mapping[str, str]) -> Tracing:
    """Return what the environment asks for. Raises SettingsError for what this exporter cannot do."""
    if environment.get(OTEL_SDK_DISABLED, "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return OFF
    if problems := _problems(environment):
        raise SettingsError("\n".join(problems))
    complaints = logging.getLogger("opentelemetry")
    complaints.handlers, complaints.propagate = [_Complaints()], False
    sampler = None if environment.get(OTEL_TRACES_SAMPLER) else ParentBasedTraceIdRatio(RATIO)
    return Exporting(_resource(service), BatchSpanProcessor(OTLPSpanExporter()), sampler)


def _problems(environment: Mapping[str, str]) -> list[str]:
    protocols = (OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL)
    wrong = [name for name in protocols if environment.get(name, "http/protobuf") != "http/protobuf"]
    elsewhere = [name for name in ENDPOINTS if not environment.get(name, "http://").startswith(("http://", "https://"))]
    return [f"{name}={environment[name]!r}: only http/protobuf is spoken" for name in wrong] + [
        f"{name}={environment[name]!r}: give an address such as http://collector:4318" for name in elsewhere
    ]


def _resource(service: str) -> Resource:
    # The environment overrides the service's own name.
    return Resource.create({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())


def _provider(resource: Resource, processor: SpanProcessor, sampler: Sampler | None) -> TracerProvider:
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


def _context(traceparent: str) -> SpanContext:
    _, trace, span, flags = traceparent.split("-")
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
