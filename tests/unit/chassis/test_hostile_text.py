"""Arbitrary text through the settings, and into log lines for a machine and for a terminal."""

import contextlib
import io
import logging
import re
from dataclasses import fields

import msgspec
import structlog
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.messages.printable import UNPRINTABLE
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry import logs
from services.notification.settings import Settings
from tests.support.hostile_text import few, texts

GOOD = {
    "APP_KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "APP_DATABASE_URL": "sqlite:///x.db",
    "APP_SMTP_HOST": "localhost",
}
NAMES = [f"APP_{field.name.upper()}" for field in fields(Settings)]
COLOUR = re.compile(r"\x1b\[[0-9]*m")
values = texts | st.sampled_from(
    ["10s\n", "1e400", "9" * 400 + "h", "off\n", "\u0661", "nan", "-1", "1_0", "a@b.org\n"]
)


@few
@given(st.dictionaries(st.sampled_from(NAMES), values.filter(lambda text: "\0" not in text), max_size=3))
def test_settings_of_any_text_are_loaded_or_refused_by_name(environment: dict[str, str]) -> None:
    try:
        loaded = load(Settings, GOOD | environment)
    except SettingsError as error:
        lines = str(error).split("\n")
        assert all(line.startswith(("APP_", "smtp")) for line in lines), lines
        assert not any(UNPRINTABLE.search(line) for line in lines)
    else:
        assert not any(UNPRINTABLE.search(text) for text in (loaded.mail_from, loaded.smtp_tls, loaded.log_level))


class Terminal(io.StringIO):
    """Standard output that a person watches."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@few
@given(texts, texts)
def test_a_line_on_a_terminal_is_one_line_without_controls(event: str, detail: str) -> None:
    handlers = logging.getLogger().handlers
    with contextlib.redirect_stdout(Terminal()) as terminal:
        logs.configure("user", "info")
        logging.getLogger().handlers = handlers
        structlog.get_logger().info(event, detail=detail)
        structlog.reset_defaults()
    written = COLOUR.sub("", terminal.getvalue())
    assert "detail=" in written
    assert not UNPRINTABLE.search(written.removesuffix("\n"))


@few
@given(texts, texts)
def test_a_line_for_a_machine_is_one_json_object(event: str, detail: str) -> None:
    line = logs._json(None, "", {"event": event, "detail": detail})  # noqa: SLF001  # its last step
    assert b"\n" not in line
    assert msgspec.json.decode(line.replace(b"\\ud", b"")) is not None
