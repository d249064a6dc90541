"""Start and stop: preparation, order of the components' ends, exit codes."""

import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest

from services.chassis.net.sockets import AddressError
from services.chassis.process import runtime as module
from services.chassis.process.runtime import Component, Plan, Runtime, main, serve
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.telemetry import Telemetry
from services.user.settings import Settings
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from tests.support.builders import a_telemetry

PATIENCE_S = 10.0


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.fixture
def story() -> list[str]:
    return []


class Loop:
    """A component that tells when it starts and stops, and does one thing in between."""

    def __init__(self, name: str, story: list[str], act: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self._story = story
        self._act = act

    def run(self, stop: threading.Event) -> None:
        self._act()
        assert stop.wait(PATIENCE_S)
        self._story.append(f"{self.name} stopped")


class ShortLived(Loop):
    """A component that ends by itself."""

    def run(self, stop: threading.Event) -> None:
        del stop
        self._act()


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def fail() -> None:
    raise RuntimeError("on purpose")


def run(*components: Component, prepare: Callable[[], None] = lambda: None, health: Health | None = None) -> int:
    return Runtime(health or Health(), timedelta(0)).run(prepare, components)


def test_sigterm_stops_the_parts_in_their_order_and_the_exit_code_is_0(story: list[str]) -> None:
    code = run(Loop("first", story), Loop("second", story), Loop("third", story, terminate))
    assert (code, story) == (0, ["first stopped", "second stopped", "third stopped"])


def test_a_signal_that_the_kernel_gives_to_another_thread_is_obeyed(story: list[str]) -> None:
    blocked = threading.Event()

    def to_this_thread() -> None:
        blocked.wait(0.2)  # until the main thread waits: a signal that comes before is seen anyway
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    assert run(Loop("part", story, to_this_thread)) == 0
    assert story == ["part stopped"]


def test_the_signal_handler_logs_nothing_since_the_interrupted_code_may_hold_the_logger_s_lock(
    story: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Log:
        def info(self, event: str, **_: object) -> None:
            inside = any(frame.function == "_on_signal" for frame in inspect.stack())
            story.append(f"{event}{', in the handler' if inside else ''}")

    monkeypatch.setattr(module, "log", Log())
    assert run(Loop("part", story, terminate)) == 0
    assert story == ["started", "stop asked for", "part stopped", "stopped"]


def test_a_part_that_fails_stops_the_others_and_the_exit_code_is_1(story: list[str]) -> None:
    assert run(Loop("first", story), ShortLived("failing", story, fail)) == 1
    assert story == ["first stopped"]


def test_a_part_that_ends_by_itself_without_a_word_is_a_failure_too(story: list[str]) -> None:
    assert run(Loop("first", story), ShortLived("quiet", story)) == 1
    assert story == ["first stopped"]


def test_a_part_that_exits_the_interpreter_is_a_failure_too(story: list[str]) -> None:
    def leave() -> None:
        raise SystemExit(0)

    assert run(Loop("first", story), ShortLived("leaving", story, leave)) == 1
    assert story == ["first stopped"]


def test_a_part_that_does_not_stop_in_time_is_a_failure(story: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    class Deaf(Loop):
        def run(self, stop: threading.Event) -> None:
            del stop
            terminate()
            released.wait(PATIENCE_S)

    monkeypatch.setattr(module, "STOP_WITHIN_S", 0.01)
    assert run(Deaf("deaf", story), Loop("last", story)) == 1
    released.set()
    assert story == ["last stopped"]


def test_not_ready_comes_before_the_first_part_is_stopped(story: list[str]) -> None:
    health = Health()

    class Watching(Loop):
        def run(self, stop: threading.Event) -> None:
            terminate()
            assert stop.wait(PATIENCE_S)
            self._story.append(str(health.missing()))

    assert run(Watching("watching", story), health=health) == 0
    assert story == ["{'stop': 'stopping'}"]


def test_preparing_is_tried_again_until_it_succeeds_and_reports_what_is_missing(
    story: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    health = Health()

    def prepare() -> None:
        story.append(health.missing()["start"])
        if len(story) < 3:
            raise ConnectionError("no database")

    monkeypatch.setattr(module, "PREPARE_BACKOFF_S", (0.01,))
    assert run(Loop("loop", story, terminate), prepare=prepare, health=health) == 0
    assert story == ["not started yet", "no database", "no database", "loop stopped"]


def test_a_stop_while_preparing_starts_nothing_and_the_exit_code_is_0(story: list[str]) -> None:
    def prepare() -> None:
        terminate()
        raise ConnectionError("no database")

    assert run(Loop("loop", story), prepare=prepare) == 0
    assert story == []


def test_another_error_in_preparing_is_not_waited_out(story: list[str]) -> None:
    with pytest.raises(RuntimeError, match="on purpose"):
        run(Loop("loop", story), prepare=fail)


def a_plan(components: Sequence[Component], story: list[str]) -> Callable[[Settings, Telemetry], Plan]:
    return lambda _, __: Plan(lambda: story.append("prepared"), components, lambda: story.append("closed"))


def some_settings(port: int) -> Settings:
    return Settings(kafka_bootstrap_servers="x", database_url="x", http_host=HOST, metrics_port=port)


def test_a_service_prepares_runs_and_closes_what_it_opened(story: list[str]) -> None:
    plan = a_plan([Loop("loop", story, terminate)], story)
    assert serve(some_settings(free_ports(1)[0]), a_telemetry(), plan) == 0
    assert story == ["prepared", "loop stopped", "closed"]


def test_wrong_settings_end_with_exit_code_2_and_every_error(
    story: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("APP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("APP_DATABASE_URI", "x")
    assert main("user", Settings, a_plan([], story)) == 2
    assert capsys.readouterr().err.splitlines() == [
        "user cannot start:",
        "APP_DATABASE_URI is not a setting: did you mean APP_DATABASE_URL?",
        "APP_KAFKA_BOOTSTRAP_SERVERS is missing: it has no default",
        "APP_DATABASE_URL is missing: it has no default",
    ]


def test_a_taken_port_is_named_before_anything_is_prepared(story: list[str]) -> None:
    def inner(_: Settings, __: Telemetry) -> Plan:
        with pytest.raises(AddressError, match="APP_METRICS_PORT"):
            serve(some_settings(port), a_telemetry(), a_plan([], story))
        return Plan(lambda: None, [Loop("loop", story, terminate)], lambda: None)

    port = free_ports(1)[0]
    assert serve(some_settings(port), a_telemetry(), inner) == 0
    assert story == ["loop stopped"]
