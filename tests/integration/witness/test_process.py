"""A witness as a process: killed between commit and answer, without a broker, and with keys that are refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from services.witness.__main__ import app
from services.workbench.local.processes import Process, Program
from services.workbench.polling import until
from tests.support.killed import through
from tests.support.notification_process import await_kill
from tests.support.user_process import Answer, ask
from tests.support.witnessed_log import WitnessedLog
from tests.support.witnesses import NAME, a_program

pytestmark = pytest.mark.long

READY_S = 60.0
COMMITTED = "services.witness.handlers:Witness.add"  # it returns after its commit, before the answer


def killed(program: Program) -> Program:
    python, dash_m, module = program.argv
    return msgspec.structs.replace(program, argv=(python, dash_m, *through("after", 1, COMMITTED), module))


@contextmanager
def running(program: Program) -> Iterator[Process]:
    process = Process(program)
    try:
        process.wait_ready(READY_S)
        yield process
    finally:
        process.kill()


def send(program: Program, content: bytes) -> Answer:
    return ask(int(program.environment["APP_HTTP_PORT"]), "POST", "/add-checkpoint", content, {})


def test_after_a_kill_between_commit_and_answer_the_same_request_gets_409_and_the_next_one_200(
    database_url: str, tmp_path: Path
) -> None:
    log = WitnessedLog()
    program = a_program(database_url, tmp_path, log)
    with running(killed(program)) as process:
        with pytest.raises(ConnectionError):
            send(program, log.request(0, 3))
        await_kill(process)
    with running(program):
        again = send(program, log.request(0, 3))
        assert (again.status, again.headers["content-type"], again.body) == (409, "text/x.tlog.size", b"3\n")
        assert send(program, log.request(3, 3)).status == 200  # what the client does with the 409
        assert send(program, log.forked_at(1).request(3, 3)).status == 422
        assert send(program, log.request(3, 5)).status == 200


def test_a_witness_is_ready_without_a_broker_and_ends_in_order(tmp_path: Path) -> None:
    with running(a_program(f"sqlite:///{tmp_path}/witness.db", tmp_path, WitnessedLog())) as process:
        process.ask_to_stop()
        assert process.wait_end(READY_S) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda key: key.chmod(0o644), "chmod 400"),
        (lambda key: key.rename(key.with_name("other")), "cannot be read"),
        (lambda key: (key.chmod(0o600), key.write_text("no key")), "holds no key"),
    ],
)
def test_a_key_that_cannot_be_used_ends_the_start_with_what_to_do(
    change: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    program = a_program(f"sqlite:///{tmp_path}/witness.db", tmp_path, WitnessedLog())
    change(tmp_path / "witness.key")
    process = Process(program)
    assert until("its end", process.exit_code, lambda code: code is not None) == 2
    assert message in program.log.read_text()


def test_a_key_is_made_once_and_its_public_key_is_printed(tmp_path: Path) -> None:
    path, public = tmp_path / "keys/witness.key", tmp_path / "vkey"
    made = keys("make", "--into", path, "--name", NAME)
    assert made.startswith(f"{NAME}+")
    assert path.stat().st_mode & 0o777 == 0o400
    assert keys("make", "--into", path, "--name", NAME, code=2) == ""
    assert keys("make", "--into", path, "--name", NAME, "--public", public, "--if-missing") == made
    assert keys("show", path, "--name", NAME) == made == public.read_text()
    assert keys("show", path, "--name", "another", code=2) == ""


def keys(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["keys", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout
