"""Traces as the services see them: spans around work, and contexts that travel as `traceparent` texts.

Off unless an endpoint is set; only then is `chassis.telemetry.otlp` loaded, which alone imports OpenTelemetry. Our own
interface, not opentelemetry-api's: with tracing off, a span that passes its parent on takes 2.6 µs here, and 12.8 µs
through the API's no-op tracer and its propagator (5.7 µs without the propagator), on Python 3.11 (DECISIONS 35).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

import msgspec

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Attributes = Mapping[str, str | int]
Kind = Literal["server", "client", "producer", "consumer"]
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


class Work(msgspec.Struct, frozen=True):
    """Description of a span: names and attributes follow OpenTelemetry's conventions and hold nothing personal."""

    name: str
    kind: Kind
    attributes: Attributes = {}


class Span(Protocol):
    """Work under way."""

    @property
    def traceparent(self) -> str | None:
        """The context for all that the work leads to, None where there is no trace."""

    def note(self, attributes: Attributes, name: str = "") -> None:
        """Add what was not known at the start; a name replaces the first one."""

    def end(self, error: str = "") -> None:
        """Report that the work is done, or the type of the error that ended it."""


class Tracing(Protocol):
    """Factory of spans. If it is not `on`, callers skip the work for attributes."""

    @property
    def on(self) -> bool:
        """Return True if spans are made."""

    def start(self, work: Work, parent: str | None, links: Sequence[str] = ()) -> Span:
        """Start a span in its parent's trace, or in one of its own. A span with links is recorded in any case."""

    def close(self) -> None:
        """Hand over what is still here, within a few seconds."""


class _Passed(msgspec.Struct, frozen=True):
    """No span: the context goes through as it came."""

    traceparent: str | None

    def note(self, attributes: Attributes, name: str = "") -> None:
        """Do nothing."""

    def end(self, error: str = "") -> None:
        """Do nothing."""


class Off:
    """Makes no spans."""

    on = False

    def start(self, work: Work, parent: str | None, links: Sequence[str] = ()) -> Span:  # noqa: ARG002  # the protocol
        """Return what hands the parent on."""
        return _Passed(parent)

    def close(self) -> None:
        """Do nothing."""


OFF = Off()


def tracing(service: str, environment: Mapping[str, str]) -> Tracing:
    """Return the factory that the environment's `OTEL_*` variables configure. Raises SettingsError."""
    if not any(environment.get(name) for name in ENDPOINTS):
        return OFF
    from services.chassis.telemetry import otlp  # noqa: PLC0415  # its memory and start-up time only where it is used

    return otlp.exporting(service, environment)


def current() -> str | None:
    """Return the context of the work under way, for log lines and exemplars."""
    return _current.get()


@contextmanager
def span(make: Tracing, work: Work, parent: str | None) -> Iterator[Span]:
    """Span a block; the kind of error that leaves it is noted."""
    started = make.start(work, parent)
    with _under_way([started]):
        yield started


@contextmanager
def joined(make: Tracing, work: Work, parts: Sequence[tuple[Work, str]]) -> Iterator[list[Span]]:
    """Span a batch: a span for each part in the part's own trace, and where there are several, one that links them.

    Yields the parts' spans.
    """
    links = list(dict.fromkeys(parent for _, parent in parts))  # records of one event share their context
    whole = [make.start(work, None, links)] if len(parts) > 1 else []
    spans = [make.start(part, parent) for part, parent in parts]
    with _under_way(whole + spans):
        yield spans


@contextmanager
def _under_way(spans: Sequence[Span]) -> Iterator[None]:
    error = ""
    before = _current.set(spans[0].traceparent if spans else None)
    try:
        yield
    except BaseException as raised:
        error = type(raised).__name__  # no more of it: an error's text may be personal
        raise
    finally:
        _current.reset(before)
        for one in spans:
            one.end(error)
