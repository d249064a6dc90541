"""Lines on standard output: their form, and personal data left out."""

import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog
from structlog.contextvars import bound_contextvars
from structlog.typing import EventDict

from services.chassis.messages import traceparent
from services.chassis.telemetry import logs, tracing
from services.chassis.telemetry.tracing import Work
from tests.support.builders import Recording

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


Printed = pytest.CaptureFixture[bytes]


@pytest.fixture
def printed(capsysbinary: Printed) -> Iterator[Printed]:
    """Standard output as a machine reads it."""
    handlers = logging.getLogger().handlers
    logs.configure("user", "info")
    yield capsysbinary
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


def lines(printed: Printed) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in printed.readouterr().out.splitlines()]


def test_a_line_is_a_json_object_with_service_level_and_time(printed: Printed) -> None:
    structlog.get_logger().info("request", route="/users", status=201)
    (line,) = lines(printed)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"service": "user", "event": "request", "level": "info", "route": "/users", "status": 201}


def test_lines_within_a_block_carry_its_fields_and_those_after_it_do_not(printed: Printed) -> None:
    log = structlog.get_logger()
    with bound_contextvars(correlation_id="c-1"), bound_contextvars(group="user"):
        log.info("in")
    log.info("after")
    inside, after = lines(printed)
    assert (inside["correlation_id"], inside["group"]) == ("c-1", "user")
    assert not {"correlation_id", "group"} & after.keys()


def test_lines_of_traced_work_carry_its_trace(printed: Printed) -> None:
    with tracing.span(Recording(), Work("any", "server"), CONTEXT):
        structlog.get_logger().info("in")
    structlog.get_logger().info("after")
    inside, after = lines(printed)
    assert inside["trace_id"] == traceparent.trace_id(CONTEXT)
    assert "trace_id" not in after


def test_a_value_that_is_no_json_stands_as_python_shows_it(printed: Printed) -> None:
    structlog.get_logger().info("odd", value=ValueError("x"))
    assert lines(printed)[0]["value"] == "ValueError('x')"


@pytest.mark.parametrize(
    ("message", "logged"),
    [
        ("550 5.1.1 <ada@example.org>: no such user", "550 5.1.1 <<address>>: no such user"),
        ("550 no mailbox žofie.ó@exämple.org here", "550 no mailbox <address> here"),
        (
            "duplicate key\nDETAIL:  Key (kind, key)=(login, ada) already exists.",
            "duplicate key\nDETAIL: <left out>",
        ),
        ("user.events.v1[0]@12: not a number", "user.events.v1[0]@12: not a number"),
        ("nothing personal", "nothing personal"),
    ],
)
def test_what_looks_personal_is_left_out(message: str, logged: str) -> None:
    line: EventDict = {"error": message, "tries": 3}
    assert logs.without_people(None, "info", line) == {"error": logged, "tries": 3}


def test_an_error_logged_with_its_traceback_names_nobody(printed: Printed) -> None:
    structlog.get_logger().error("failed", exc_info=ValueError("no mailbox ada@example.org"))
    (line,) = lines(printed)
    assert "ValueError: no mailbox <address>" in line["exception"]


def test_a_librarys_warning_is_a_line_like_ours(printed: Printed) -> None:
    logging.getLogger("some.library").warning("mail to %s was odd", "ada@example.org")
    logging.getLogger("some.library").info("small talk")
    (line,) = lines(printed)
    assert (line["event"], line["logger"], line["level"]) == ("mail to <address> was odd", "some.library", "warning")
