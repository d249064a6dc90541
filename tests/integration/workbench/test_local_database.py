"""The database server of a local system is broken as any other part: killed and started, stopped and continued."""

import asyncio
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from services.workbench.faults.local_parts import LocalParts
from services.workbench.faults.table import DATABASE, Fault
from services.workbench.local.postgres import Server
from services.workbench.local.system import System

ANSWER_MS = 300


@pytest.fixture
def url(postgres_server: Server) -> str:
    return postgres_server.fresh_url().replace("+psycopg", "")


@pytest.fixture
def parts(postgres_server: Server, tmp_path: Path) -> LocalParts:
    return LocalParts(System([]), tmp_path, postgres_server)


def test_a_killed_server_refuses_connections_until_it_is_started(parts: LocalParts, url: str) -> None:
    assert parts.obstacle(Fault("kill", DATABASE)) == ""
    asyncio.run(parts.kill(DATABASE))
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url)
    asyncio.run(parts.start(DATABASE))
    psycopg.connect(url).close()


def test_a_stopped_server_answers_nothing_until_it_is_continued(parts: LocalParts, url: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        asyncio.run(parts.pause(DATABASE))
        frozen = asyncio.run(_answered(connection))
        asyncio.run(parts.resume(DATABASE))
    assert not frozen
    psycopg.connect(url).close()


async def _answered(connection: psycopg.Connection) -> bool:
    connection.pgconn.send_query(b"SELECT 1")
    connection.pgconn.flush()
    readable = asyncio.Event()
    asyncio.get_running_loop().add_reader(connection.pgconn.socket, readable.set)
    try:
        async with asyncio.timeout(ANSWER_MS / 1000):
            await readable.wait()
    except TimeoutError:
        return False
    return True
