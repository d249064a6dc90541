"""Tiles, entry bundles and the checkpoint over HTTP, on both databases: what is published, and nothing else."""

import gzip
from collections.abc import Iterator
from functools import partial

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import text

from services.audit.notary import checkpoint_store
from services.audit.tiles import api, published
from services.chassis.database.database import Database
from services.chassis.http.application import ApiDocument, application
from services.chassis.transparency.tiles import resources, unbundle
from services.chassis.transparency.tree import Edge, extend, leaf_hash
from tests.support.audit_log import ORIGIN, a_fact, all_entries, open_log, record_all
from tests.support.builders import NOW

SIZE = 520  # two full tiles and some
BEHIND = 3  # entries that no checkpoint covers yet


@pytest.fixture
def log(database: Database) -> Database:
    """A log of five partitions, one of its values large; the checkpoint of 520 of its entries is published."""
    open_log(database)
    facts = [a_fact(number // 5 + 4, partition=number % 5) for number in range(SIZE)]
    facts[300] = a_fact(64, value=b"{" + b" " * 3_000_000)
    facts[301] = a_fact(64, partition=1, key=None, value=None, headers=None)
    for start in range(0, SIZE, 100):
        record_all(database, *facts[start : start + 100])
    publish(database, SIZE, b"the note")
    record_all(database, *(a_fact(1000 + number) for number in range(BEHIND)))
    return database


def publish(database: Database, size: int, note: bytes) -> None:
    with database.write() as connection:
        checkpoint_store.add(connection, size, bytes(32), note, NOW)
        checkpoint_store.mark_published(connection, size, NOW)


@pytest.fixture
def client(database: Database) -> Iterator[TestClient[Litestar]]:
    open_log(database)
    resource = partial(database.reader(published.resource), origin=ORIGIN)
    handlers = api.routes(database.reader(published.checkpoint), resource)
    with TestClient(application(handlers, ApiDocument("tiles"))) as client:
        yield client


def get(client: TestClient[Litestar], path: str) -> bytes:
    answer = client.get(f"/{path}", headers={"accept-encoding": "identity"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    return answer.content


def test_all_tiles_and_bundles_are_those_of_the_tree_of_the_published_entries(
    log: Database, client: TestClient[Litestar]
) -> None:
    found = {path: get(client, path.text()) for path in resources(SIZE)}
    bundles = [content for path, content in found.items() if path.level is None]
    leaves = [leaf_hash(entry) for bundle in bundles for entry in unbundle(bundle)]
    assert leaves == [entry.leaf for entry in all_entries(log)][:SIZE]
    _, nodes = extend(Edge(), leaves)
    levels = [b"".join(found[path] for path in found if path.level == level) for level in range(3)]
    assert levels == [b"".join(leaves), b"".join(node.hash for node in nodes), b""]


def test_a_part_of_a_full_tile_is_served_as_well(log: Database, client: TestClient[Litestar]) -> None:
    whole = get(client, "tile/0/001")
    assert get(client, "tile/0/001.p/7") == whole[: 7 * 32]
    assert len(all_entries(log)) == SIZE + BEHIND


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/002", "tile/0/002.p/9", "tile/entries/002.p/9", "tile/0/003", "tile/1/000", "tile/1/000.p/3"),
        *("tile/2/000.p/1", "tile/00/000", "tile/0/0", "tile/0/x000/000", "tile/0/000.p/0", "tile/0/000.p/256"),
        *("tile/0/000.p/07", "tile/-1/000", "tile/64/000", "tile/entries", "tile/0/000x"),
        *("tile", "tile/63/x999/x999/x999/x999/x999/x999/999"),
    ],
)
def test_every_other_path_is_not_found(client: TestClient[Litestar], path: str) -> None:
    answer = client.get(f"/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("log")
def test_a_bundle_is_compressed_if_the_client_takes_it(client: TestClient[Litestar]) -> None:
    plain = get(client, "tile/entries/000")
    for accepted, compressed in (("br, gzip;q=0.5", True), ("GZIP", True), ("gzip;q=0", False), ("br", False)):
        with client.stream("GET", "/tile/entries/000", headers={"accept-encoding": accepted}) as answer:
            raw = b"".join(answer.iter_raw())
        assert (answer.headers.get("content-encoding") == "gzip") is compressed, accepted
        assert answer.headers["vary"] == "accept-encoding"
        assert (gzip.decompress(raw) if compressed else raw) == plain


def test_without_a_published_checkpoint_there_is_nothing(client: TestClient[Litestar], database: Database) -> None:
    record_all(database, a_fact(0))
    with database.write() as connection:
        checkpoint_store.add(connection, 1, bytes(32), b"signed, and not published", NOW)
    assert client.get("/checkpoint").status_code == client.get("/tile/0/000.p/1").status_code == 404


@pytest.mark.usefixtures("log")
def test_the_checkpoint_is_the_newest_published_note_as_it_is(client: TestClient[Litestar], database: Database) -> None:
    answer = client.get("/checkpoint")
    assert (answer.content, answer.headers["content-type"]) == (b"the note", "text/plain; charset=utf-8")
    assert answer.headers["cache-control"] == "no-cache"
    publish(database, SIZE + BEHIND, b"a newer note")
    assert client.get("/checkpoint").content == b"a newer note"
    assert len(get(client, f"tile/0/002.p/{SIZE + BEHIND - 512}")) == 32 * (SIZE + BEHIND - 512)


def test_a_changed_value_changes_its_bundle(log: Database, client: TestClient[Litestar]) -> None:
    before = unbundle(get(client, "tile/entries/000"))
    with log.write() as connection:
        connection.execute(text("UPDATE entries SET value = :value WHERE position = 7"), {"value": b"changed"})
    after = unbundle(get(client, "tile/entries/000"))
    assert [at for at in range(256) if before[at] != after[at]] == [7]
