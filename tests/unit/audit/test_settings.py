"""Settings of audit: an origin is what a key's name may be."""

import pytest

from services.audit.settings import Settings, StoreSettings
from services.chassis.settings.environment import SettingsError, load

GOOD = {"APP_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092", "APP_DATABASE_URL": "sqlite:///audit.db"}


@pytest.mark.parametrize("origin", ["eventline.local/audit", "example.org/audit", "log"])
def test_an_origin_is_taken(origin: str) -> None:
    assert load(Settings, {**GOOD, "APP_AUDIT_ORIGIN": origin}).audit_origin == origin


@pytest.mark.parametrize("origin", ["my log", "a+b", "a\u2003b", "example.org/", "a" * 256])
def test_an_origin_that_no_key_may_have_is_refused_with_what_to_do_for_a_log_that_has_it(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"APP_AUDIT_ORIGIN=.*begin a new log with a valid origin"):
        load(Settings, {**GOOD, "APP_AUDIT_ORIGIN": origin})
    assert load(StoreSettings, {**GOOD, "APP_AUDIT_ORIGIN": origin}).audit_origin == origin  # verify reads it
