"""Finding a running system by its ports, and the lines of a journey."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from services.chassis.settings.environment import load
from services.console.journey import lines
from services.console.running import NothingRunsError, Running, find, found, with_kafka
from services.console.settings import OPERATOR_FILE, ConsoleSettings
from services.console.tokens.found_key import KEY_FILE, given
from services.workbench.local.free_ports import free_ports

LOCAL, COMPOSE, KIND, BROKER = free_ports(4)
SETTINGS = load(ConsoleSettings, {"APP_AUDIT_PORT": str(LOCAL), "APP_BROKER_PORT": str(BROKER)})
ENVIRONMENT = {"AUDIT_PORT": str(COMPOSE), "KIND_AUDIT_PORT": str(KIND)}


class Audit(BaseHTTPRequestHandler):
    """Answers as the audit API does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class Stranger(Audit):
    """Another program that has the port."""

    def do_GET(self) -> None:
        self.send_error(404)


@contextlib.contextmanager
def listening(*ports: int, answer: type[BaseHTTPRequestHandler] = Audit) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for port in ports:
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", port), answer))
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
            stack.callback(server.shutdown)
        yield


@pytest.mark.parametrize(
    ("ports", "name"), [((LOCAL, COMPOSE, KIND), "make run"), ((COMPOSE, KIND), "docker compose"), ((KIND,), "kind")]
)
def test_the_first_that_answers_is_used_and_named(
    ports: tuple[int, ...], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(*ports):
        assert find(SETTINGS, ENVIRONMENT).name == name
    assert f"using {name}" in capsys.readouterr().err


def test_another_program_on_the_port_is_no_running_system() -> None:
    with listening(LOCAL, answer=Stranger):
        assert found(SETTINGS, ENVIRONMENT) is None


def test_where_nothing_runs_the_message_says_where_it_looked() -> None:
    assert found(SETTINGS, ENVIRONMENT) is None
    with pytest.raises(NothingRunsError, match=rf"make run \(http://127.0.0.1:{LOCAL}\), docker compose .*`make run`"):
        find(SETTINGS, ENVIRONMENT)


def test_a_broker_that_settings_name_is_the_one_that_is_used() -> None:
    named = ConsoleSettings(kafka_bootstrap_servers="kafka.example.org:9092")
    assert with_kafka(named, ENVIRONMENT) is named
    with listening(KIND):
        assert with_kafka(SETTINGS, {"KAFKA_PORT": str(KIND)}).kafka_bootstrap_servers == f"127.0.0.1:{KIND}"
    assert with_kafka(SETTINGS, {"KAFKA_PORT": "1", "KIND_KAFKA_PORT": "1"}).bootstrap_servers == f"127.0.0.1:{BROKER}"


def test_the_operators_login_of_a_secured_local_system_is_used_for_its_broker_alone(tmp_path: Path) -> None:
    settings = replace(SETTINGS, state_dir=tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / OPERATOR_FILE).write_text("APP_KAFKA_USER=eventline-operator\nAPP_KAFKA_CA_FILE='a b.pem'\n")
    environment = {"KAFKA_PORT": str(KIND), "KIND_KAFKA_PORT": "1"}
    with listening(BROKER):
        mine = with_kafka(settings, environment)
    assert (mine.kafka_user, mine.kafka_ca_file) == ("eventline-operator", "a b.pem")
    with listening(KIND):
        other = with_kafka(settings, environment)
    assert (other.kafka_user, other.kafka_password, other.kafka_ca_file) == (
        "eventline-operator",
        "eventline-operator",
        "",
    )


def test_a_local_system_lends_its_key_to_who_has_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})
    _with_key("first.jwk").lend_token(tmp_path)
    assert given() == {KEY_FILE: "first.jwk"}
    _with_key("second.jwk").lend_token(tmp_path)
    assert given() == {KEY_FILE: "first.jwk"}


def test_a_system_is_found_without_fetching_its_key(tmp_path: Path) -> None:
    settings = replace(SETTINGS, state_dir=tmp_path)
    with listening(COMPOSE):
        assert found(settings, ENVIRONMENT) is not None
    assert list(tmp_path.iterdir()) == []


def _with_key(key: str) -> Running:
    return Running("make run", "", {}, {}, login={"token_key_file": key})


def test_markup_in_a_record_is_printed_as_it_is() -> None:
    choice = {"correlation_id": "[red]c1", "type": "user.registered", "time": None, "records": 1}
    assert "\\[red]c1" in list(lines({"journey": None, "choices": [choice]}, "http://audit"))[1]
