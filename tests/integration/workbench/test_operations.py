"""docs/operations.md on a Kafka and a PostgreSQL of one's own: its files, databases, rights and commands, as written.

Both servers take TLS with a login and nothing else; Kafka denies what no right allows.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from services.contracts.access import ADMINISTRATOR, PRINCIPALS, kafka_name
from services.workbench.local.free_ports import free_ports
from services.workbench.polling import until
from tests.integration.workbench.test_story_tls import mail_server, mail_settings
from tests.support.certificates import HOST as NAME
from tests.support.certificates import Files
from tests.support.command_blocks import ROOT, argv, blocks_for, environment, execute
from tests.support.operations_page import File, blocks
from tests.support.operations_page import files as pages_files
from tests.support.readiness import ask, await_seen
from tests.support.secure_broker import SecureBroker, running
from tests.support.secure_postgres import SecurePostgres
from tests.support.user_client import ADA

pytestmark = pytest.mark.long

ADMIN = kafka_name(ADMINISTRATOR)
DENY = {"allow.everyone.if.no.acl.found": "false", "super.users": f"User:ANONYMOUS;User:{ADMIN}"}
READY_S = 120.0
PORTS = ("APP_HTTP_PORT", "APP_METRICS_PORT")


def own(file: File, broker: SecureBroker, postgres: SecurePostgres, authority: str) -> dict[str, str]:
    """Return the values of a file that are about the servers of this test instead of those of the page."""
    url = f"postgresql+psycopg://{file.name}@{NAME}:{postgres.port}/{file.name}"
    values = {
        "APP_KAFKA_BOOTSTRAP_SERVERS": broker.address("right"),
        "APP_KAFKA_CA_FILE": authority,
        "APP_KAFKA_REPLICATION_FACTOR": "1",
        "APP_KAFKA_MIN_INSYNC_REPLICAS": "1",
        "APP_AUDIT_KEY_FILE": "log.key",
        "APP_DATABASE_URL": f"{url}?sslmode=verify-full&sslrootcert={authority}",
    }
    return values | dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))


@contextlib.contextmanager
def started(commands: str, folder: Path) -> Iterator[Path]:
    """Run commands that leave processes in the background, and end those at the end; yield the log."""
    log = folder / "log"
    with log.open("wb") as output:
        shell = subprocess.Popen(
            argv(f"{commands}\nwait"), cwd=folder, env=environment(PYTHONPATH=str(ROOT)), stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield log
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(READY_S)


def await_ready(ports: Mapping[str, int], log: Path) -> None:
    """Wait until every process is ready with nothing missing."""
    try:
        for name, port in ports.items():
            until(f"{name} ready", partial(ask, port, "/readyz"), lambda seen: seen == (200, "ok\n"), READY_S)
    except TimeoutError as error:
        error.add_note(log.read_text()[-5000:])
        raise


def test_the_documented_files_and_commands_start_a_system_on_servers_of_one_s_own_with_the_least_rights(
    secure_postgres: SecurePostgres, files: Files, tmp_path: Path
) -> None:
    (tmp_path / ".eventline").symlink_to(ROOT / ".eventline")
    with running(tmp_path / "kafka", DENY) as broker, mail_server() as mails:
        secure_postgres.administer("".join(block.text for block in blocks("sql")))
        ports: dict[str, dict[str, int]] = {}
        for name, file in pages_files().items():
            values = own(file, broker, secure_postgres, files.authority)
            values |= mail_settings(mails.port, files)
            (tmp_path / f"{name}.env").write_text(file.changed(values))
            ports[name] = {port: int(values[port]) for port in PORTS}
        [password] = (line.value for line in pages_files()[ADMINISTRATOR].lines() if line.name == "APP_KAFKA_PASSWORD")
        broker.admit(ADMIN, password)
        key, passwords, start, look = blocks_for(__file__)
        code, output = execute(passwords.text, {}, tmp_path)
        assert (code, {path.name for path in (tmp_path / "passwords").iterdir()}) == (0, set(PRINCIPALS)), output
        code, output = execute(key.text, {"PYTHONPATH": str(ROOT)}, tmp_path)
        assert (code, "example.org/audit+" in output) == (0, True), output
        with started(start.text, tmp_path) as log:
            metrics = {name: ports[name][PORTS[1]] for name in ("user", "notification", "audit", "lag-exporter")}
            await_ready(metrics, log)
            status, body = ask(ports["user"][PORTS[0]], "/users", ADA | {"preferences": {"email": True}})
            assert status == 201, body
            await_seen(lambda: (len(mails.mails), str(mails.steps)), lambda seen: seen[0] >= 1)
            path = f"/audit/journeys/{json.loads(body)['correlation_id']}"
            await_seen(lambda: ask(ports["audit"][PORTS[0]], path), lambda seen: "notification.sent" in seen[1])
            code, output = execute(f"{start.text.splitlines()[0]}\n{look.text}", {"PYTHONPATH": str(ROOT)}, tmp_path)
            assert code == 0, output
            assert "the audit log is whole" in output
