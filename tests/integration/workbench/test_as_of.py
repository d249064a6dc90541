"""`console as-of` on a broker of its own: both kinds of database give one checksum, and each failure its exit code."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.chassis.database.database import Database
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.contracts.catalog import USER_EVENTS
from services.user import bootstrap, publisher
from services.user.as_of import canonical
from services.workbench.bench import workload
from services.workbench.local import postgres
from services.workbench.local.system import clean_environment
from services.workbench.polling import until
from tests.support.broker import running
from tests.support.console_process import argv, console
from tests.support.schemas import upgrade

pytestmark = pytest.mark.long

USERS = 3000
BROKER = "APP_KAFKA_BOOTSTRAP_SERVERS"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker whose topic has a registration of each user."""
    with running(tmp_path_factory.mktemp("broker"), [USER_EVENTS]) as (address, _):
        producer = Producer(KafkaSettings(kafka_bootstrap_servers=address), "test")
        producer.publish([publisher.records(workload.registered(number))[0] for number in range(1, USERS + 1)])
        producer.close()
        yield address


def checksum(output: str) -> str:
    (line,) = [line for line in output.splitlines() if line.startswith("sha256 ")]
    return line


def test_both_databases_give_one_checksum(log: str, tmp_path: Path, postgres_server: postgres.Server) -> None:
    urls = [f"sqlite:///{tmp_path}/then.db", postgres_server.fresh_url()]
    done = [console({BROKER: log}, "as-of", str(USERS - 1), "--into", url) for url in urls]
    assert [code for code, _ in done] == [0, 0], done
    assert len({checksum(output) for _, output in done}) == 1
    for url in urls:
        with closing(Database(url)) as database, database.read() as connection:
            found = canonical.summary(connection)
        assert found.rows == {"users": USERS - 1, "reservations": 2 * (USERS - 1)}
        assert checksum(done[0][1]) == f"sha256 {found.sha256}"


def test_the_service_s_own_database_is_refused(log: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/user.db"
    with closing(Database(url)) as database:
        upgrade(database, bootstrap.REVISIONS)
    code, output = console({BROKER: log}, "as-of", "1", "--into", url)
    assert code == 2, output
    assert "has tables already" in output


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(str(USERS + 1), f"from 1 to {USERS}"), ("2020-01-01T00:00:00Z", "before the first event"), ("now", "no moment")],
    ids=["behind-the-end", "before-the-first", "no-moment"],
)
def test_a_moment_that_the_log_lacks_is_refused(log: str, tmp_path: Path, moment: str, expected: str) -> None:
    into = f"sqlite:///{tmp_path}/then.db"
    code, output = console({BROKER: log}, "as-of", moment, "--into", into)
    assert code == 2, output
    assert expected in output
    assert console({BROKER: log}, "as-of", "1", "--into", into)[0] == 0


def test_ctrl_c_leaves_an_empty_database(log: str, tmp_path: Path) -> None:
    into = f"sqlite:///{tmp_path}/then.db"
    command = subprocess.Popen(
        argv("as-of", str(USERS), "--into", into),
        env=clean_environment({BROKER: log}),
        stderr=subprocess.PIPE,
        text=True,
    )
    # The progress bar is not drawn into a pipe: the file appears when the tables are created.
    until("the build begins", (tmp_path / "then.db").exists, bool)
    command.send_signal(signal.SIGINT)
    _, error = command.communicate(timeout=60)
    assert command.returncode == 130, error
    assert "unfinished tables are removed" in error
    assert console({BROKER: log}, "as-of", "1", "--into", into)[0] == 0
