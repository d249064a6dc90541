"""A collector for tests: takes traces as OTLP over HTTP, as any collector does, and keeps their spans."""

import gzip
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

KINDS = {number: name.removeprefix("SPAN_KIND_").lower() for name, number in Sent.SpanKind.items()}


class Seen(msgspec.Struct, frozen=True):
    """A span that was exported; ids in hex, `parent` empty for a root, `links` as trace and span id."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: tuple[tuple[str, str], ...]
    attributes: dict[str, Any]
    start: int
    failed: bool

    @property
    def title(self) -> str:
        """Service and name."""
        return f"{self.service}: {self.name}"


class Collector:
    """Spans exported so far. `refusing` makes it answer 503 and keep nothing."""

    def __init__(self) -> None:
        self._spans: list[Seen] = []
        self.requests = 0
        self.refusing = False
        self.address = ""

    def take(self, body: bytes) -> int:
        """Take a request's body; return the status of the answer."""
        self.requests += 1
        if self.refusing:
            return 503
        self._spans += _spans(ExportTraceServiceRequest.FromString(body))
        return 200

    def spans(self) -> list[Seen]:
        """Return every span."""
        return list(self._spans)

    def trace(self, trace_id: str) -> list[Seen]:
        """Return the spans of a trace by their start."""
        return sorted((span for span in self.spans() if span.trace == trace_id), key=lambda span: span.start)


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """Run a collector on a port of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            self.send_response(collector.take(gzip.decompress(body) if zipped else body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    collector.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def edges(spans: Iterable[Seen]) -> list[tuple[str, str]]:
    """Return parent and child of each span by their titles, sorted; a root's parent is empty."""
    spans = list(spans)
    titles = {span.id: span.title for span in spans}
    return sorted((titles.get(span.parent, span.parent and "elsewhere"), span.title) for span in spans)


def tree(spans: Sequence[Seen], parent: str = "", depth: int = 0) -> str:
    """Return a trace as an indented tree, for a person."""
    lines = []
    for span in spans:
        if span.parent == parent:
            lines.append(f"{'  ' * depth}{span.title} ({span.kind})")
            lines.append(tree(spans, span.id, depth + 1))
    return "\n".join(line for line in lines if line)


def _spans(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for group in request.resource_spans:
        service = _attributes(group.resource.attributes)["service.name"]
        for scope in group.scope_spans:
            yield from (_seen(service, span) for span in scope.spans)


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        kind=KINDS[span.kind],
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        attributes=_attributes(span.attributes),
        start=span.start_time_unix_nano,
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
