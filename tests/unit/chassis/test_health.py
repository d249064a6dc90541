"""Health: ready when nothing is missing, alive while every loop moves."""

from services.chassis.telemetry.health import Health

SECONDS = [0.0]


def a_health() -> Health:
    SECONDS[0] = 0.0
    return Health(monotonic=lambda: SECONDS[0])


def test_a_service_is_not_ready_before_its_start_is_over() -> None:
    health = a_health()
    assert health.missing() == {"start": "not started yet"}
    assert not health.started
    health.has("start")
    assert health.missing() == {}
    assert health.started


def test_what_is_missing_is_reported_with_its_latest_reason_until_it_is_there() -> None:
    health = a_health()
    health.has("start")
    health.lacks("database", "refused")
    health.lacks("database", "timed out")
    assert health.missing() == {"database": "timed out"}
    assert health.started
    health.has("database")
    health.has("never missed")
    assert health.missing() == {}


def test_a_loop_that_has_not_moved_for_a_minute_is_stalled_until_it_moves_again() -> None:
    health = a_health()
    health.beat("relay")
    health.beat("writer")
    SECONDS[0] = 60.0
    health.beat("writer")
    assert health.stalled() == []
    SECONDS[0] = 60.1
    assert health.stalled() == ["relay"]
    health.beat("relay")
    assert health.stalled() == []


def test_a_loop_that_has_ended_in_order_is_not_stalled() -> None:
    health = a_health()
    health.beat("relay")
    health.ended("relay")
    health.ended("never began")
    SECONDS[0] = 1000.0
    assert health.stalled() == []
