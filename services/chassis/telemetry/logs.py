"""Structured logs on standard output: JSON for machines, a coloured console where a person watches.

Personal data is not logged. An address, or a row's values in a message of PostgreSQL, is removed here, also from
lines of libraries.
"""

import json
import logging
import re
import sys

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from services.chassis.messages import traceparent
from services.chassis.messages.printable import printable, printable_lines
from services.chassis.telemetry import tracing

ADDRESS = re.compile(r"[^\s\"'<>()\[\],:;=@]+@[^\s\"'<>()\[\],:;=@]+")
ROW = re.compile(r"DETAIL:.*")


def configure(service: str, level: str) -> None:
    """Set up structlog for this process; every line carries the service's name."""
    watched = sys.stdout.isatty()
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            lambda _, __, line: {"service": service, **line},
            structlog.contextvars.merge_contextvars,
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            without_people,
            *([_without_controls, console] if watched else [_json]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory() if watched else structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.getLogger().handlers = [_Libraries(logging.WARNING)]


def without_people(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Leave out of each text what looks personal."""
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = _anonymous(value)
    return line


def _anonymous(text: str) -> str:
    if "DETAIL:" in text:
        text = ROW.sub("DETAIL: <left out>", text)
    return ADDRESS.sub("<address>", text) if "@" in text else text


def _add_trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    if context := tracing.current():
        line.setdefault("trace_id", traceparent.trace_id(context))
    return line


def _json(_: WrappedLogger, __: str, line: EventDict) -> bytes:
    try:
        return msgspec.json.encode(line, enc_hook=repr)
    except UnicodeEncodeError:  # half of a surrogate pair, as in the name of a file that is not UTF-8
        return json.dumps(line, default=repr).encode()


def _without_controls(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Escape what a terminal would obey."""
    shown = {name: printable(value) if isinstance(value, str) else value for name, value in line.items()}
    return shown | ({"exception": printable_lines(line["exception"])} if "exception" in line else {})


class _Libraries(logging.Handler):
    """Libraries' warnings and errors, as lines like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one."""
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
