"""BAD-INPUT, surface HTTP: each test is a row and names its input; against its own process, over a socket.

Kafka is unreachable throughout: the API opens and stays up without it. Inputs that need raw bytes are in
`test_sockets.py`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.chassis.database.database import Database
from services.chassis.http.limits import LARGEST_BODY
from services.chassis.outbox import record_size
from tests.support.user_client import Service
from tests.support.user_process import NUMBERS, UserServer, a_person, refused, registered

DEEP = b"[" * 100_000 + b"]" * 100_000

MALFORMED = {
    "malformed JSON": b'{"login": ',
    "trailing bytes": b'{"login": "ada"}}',
    "BOM": b'\xef\xbb\xbf{"login": "ada"}',
    "invalid UTF-8": b'{"login": "\xff"}',
    "a surrogate in UTF-8": b'{"login": "\xed\xa0\x80"}',
    "NaN": b'{"login": NaN}',
    "1e400": b'{"login": 1e400}',
    "a 10,000-digit integer": b'{"login": ' + b"9" * 10_000 + b"}",
    "nesting 100,000 deep": DEEP,
    "nesting in an unknown field": b'{"other": ' + DEEP + b"}",
    "a repeated key": b'{"login": "ada", "login": "bob"}',
    "a repeated key within": b'{"preferences": {"email": true, "\\u0065mail": false}}',
    "no body": b"",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_json(untouched: UserServer, body: bytes) -> None:
    """Malformed JSON, trailing bytes, BOM, invalid UTF-8, NaN, 1e400, a 10,000-digit integer, nesting: 400."""
    detail = refused(untouched.send("POST", "/users", body), 400)
    assert "JSON" in detail or "more than once" in detail


def test_deep_nesting_is_no_cpu_spike(untouched: UserServer) -> None:
    """Nesting 100,000 deep, a hundred times: the processor is used for less than 20 ms each."""
    before = untouched.cpu_s()
    for _ in range(100):
        assert untouched.send("POST", "/users", DEEP).status == 400
    assert untouched.cpu_s() - before < 2.0


def test_a_body_over_the_limit(untouched: UserServer) -> None:
    """A body over the limit: 413."""
    assert refused(untouched.send("POST", "/users", b" " * (LARGEST_BODY + 1)), 413)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": ""},
        {"Content-Type": "application/json5"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
    ],
    ids=str,
)
def test_another_content_type_or_encoding(untouched: UserServer, headers: dict[str, str]) -> None:
    """Wrong or missing Content-Type, a Content-Encoding we do not take: 415."""
    assert "send" in refused(untouched.send("POST", "/users", b"{}", headers), 415)


OTHER_SHAPES: dict[str, dict[str, Any]] = {
    "unknown field": {"nickname": "ada"},
    "unknown field within": {"preferences": {"sms": True}},
    "read-only user_id": {"user_id": "mine"},
    "read-only version": {"version": 1},
    "read-only status": {"status": "active"},
    "read-only contact_flagged": {"contact_flagged": False},
    "number for text": {"login": 1},
    "null for text": {"full_name": None},
    "text for struct": {"preferences": "all"},
    "text for truth": {"preferences": {"email": "yes"}},
    "NUL in a login": {"login": "a\0da"},
    "NUL in a name": {"full_name": "Ada\0"},
    "lone surrogate in a name": {"full_name": "Ada\ud800"},
    "lone surrogate in a login": {"login": "\udfff"},
    "bidi override in a name": {"full_name": "Ada\u202e"},
    "bidi isolate in a login": {"login": "ada\u2066"},
    "invisible login": {"login": "\u200b"},
    "invisible name": {"full_name": "\u2060\u3164"},
    "unassigned character in a login": {"login": "ada\u0378"},
    "private-use character in a name": {"full_name": "Ada\ue000"},
    "joiner where no script needs it": {"login": "ad\u200da"},
    "LF after a locale": {"locale": "en\n"},
    "encoded word in an address": {"email": "=?utf-8?q?=0D=0AX?=@example.org"},
    "CR/LF in an address": {"email": "ada@example.org\r\nBcc: eve@example.org"},
    "LF in an address": {"email": "ada\n@example.org"},
    "65-character local part": {"email": "a" * 65 + "@example.org"},
    "display-name form": {"email": "Ada <ada@example.org>"},
    "two addresses": {"email": "ada@example.org, eve@example.org"},
}


@pytest.mark.parametrize("changed", OTHER_SHAPES.values(), ids=OTHER_SHAPES.keys())
def test_another_shape(untouched: UserServer, changed: dict[str, Any]) -> None:
    """Unknown or read-only field, wrong type; NUL, surrogate, bidi; CR/LF, local part, display name: 422, named."""
    detail = refused(untouched.post(a_person(**changed)), 422)
    named = {*changed, *(name for value in changed.values() if isinstance(value, dict) for name in value), "surrogate"}
    assert any(name in detail for name in named), detail


@pytest.mark.parametrize("field", ["login", "version", "status", "user_id", "contact_flagged", "nickname"])
def test_a_field_that_cannot_be_changed(user_server: UserServer, field: str) -> None:
    """Unknown or read-only field: 422, never ignored silently."""
    path = registered(user_server)
    before = user_server.rows()
    answer = user_server.send("PATCH", path, b'{"%s": "x", "locale": "de"}' % field.encode(), {"If-Match": "*"})
    assert field in refused(answer, 422)
    assert user_server.rows() == before


@pytest.mark.parametrize("query", ["stauts=active", "limit=0", "limit=501", "limit=x", "after=x", "status=gone"])
def test_a_parameter_that_is_none(untouched: UserServer, query: str) -> None:
    """Unknown field, wrong type, in the query: 422."""
    assert query.partition("=")[0] in refused(untouched.send("GET", f"/users?{query}"), 422)


@pytest.mark.parametrize(
    ("field", "text", "other"),
    [
        ("login", "ada{}", "ADA{}"),
        ("login", "straße{}", "STRASSE{}"),
        ("login", "caf\u00e9{}", "cafe\u0301{}"),
        ("login", "\ufb01n{}", "FIN{}"),
        ("login", "bob{}", "\uff22ob{}"),
        ("login", "zoe{}", "zo\u200be{}"),
        ("login", "z\u00adara{}", "z\u2060ara{}"),
        ("email", "ada{}@example.org", "ADA{}@EXAMPLE.ORG"),
        ("email", "\u00e9{}@example.org", "e\u0301{}@example.org"),
    ],
)
def test_a_taken_login_or_address_in_another_form(user_server: UserServer, field: str, text: str, other: str) -> None:
    """Same e-mail or login in other case or Unicode form: 409, on SQLite and PostgreSQL alike."""
    number = next(NUMBERS)
    registered(user_server, **{field: text.format(number)})
    before = user_server.rows()
    assert f"{field} is taken" in refused(user_server.post(a_person(**{field: other.format(number)})), 409)
    assert user_server.rows() == before


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 428),
        ('"2"', 412),
        ('"2", "3"', 412),
        ('W/"1"', 412),
        ('"one"', 412),
        ('"01"', 412),
        ('"99999999999999999999"', 412),
        ("", 412),
        (",", 412),
        ("1", 400),
        ('"1', 400),
        ('"1" "2"', 400),
        ('w/"1"', 400),
        ('*, "1"', 400),
    ],
)
def test_if_match(user_server: UserServer, given: str | None, status: int) -> None:
    """Stale or absent `If-Match`: 412 or 428; what is no list of ETags: 400."""
    path = registered(user_server)
    before = user_server.rows()
    headers = {} if given is None else {"If-Match": given}
    for method, body in (("PATCH", b'{"locale": "de"}'), ("DELETE", None)):
        detail = refused(user_server.send(method, path, body, headers), status)
        assert "ETag" in detail or "read it again" in detail
    assert user_server.rows() == before


@pytest.mark.parametrize(
    "given", ['"1"', "*", '"1", "2"', '"2","1"', 'W/"1", "1"', ' , "1" ,', '"a,b", "1"', '"1\xff", "1"'], ids=ascii
)
def test_an_if_match_that_lists_the_version(user_server: UserServer, given: str) -> None:
    """`If-Match` with several ETags matches if one of them does (RFC 9110, section 13.1.1)."""
    path = registered(user_server)
    answer = user_server.send("PATCH", path, b'{"locale": "de"}', {"If-Match": given})
    assert (answer.status, answer.headers["etag"]) == (200, '"2"')


def test_an_idempotency_key_with_another_body(user_server: UserServer) -> None:
    """`Idempotency-Key` with another body: 422."""
    key = {"Idempotency-Key": f"key{next(NUMBERS)}"}
    assert user_server.post(a_person(), key).status == 201
    before = user_server.rows()
    assert "Idempotency-Key" in refused(user_server.post(a_person(), key), 422)
    assert user_server.rows() == before


@pytest.mark.parametrize("key", ["k" * 300, ""])
def test_an_idempotency_key_of_no_length_or_300_characters(untouched: UserServer, key: str) -> None:
    """`Idempotency-Key` of 300 characters: 400."""
    assert "Idempotency-Key" in refused(untouched.post(a_person(), {"Idempotency-Key": key}), 400)


def test_an_idempotency_key_while_the_first_is_in_flight(user_server: UserServer) -> None:
    """The same key while the first is in flight: waits and gets the first's reply."""
    before, person, key = user_server.rows(), a_person(), {"Idempotency-Key": f"key{next(NUMBERS)}"}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: user_server.post(person, key), range(16)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert user_server.rows()["events"] == before["events"] + 1


def test_an_idempotency_key_and_body_later(user_server: UserServer) -> None:
    """The same key and body later: the stored reply."""
    person, key = a_person(), {"Idempotency-Key": f"key{next(NUMBERS)}"}
    first = user_server.post(person, key)
    before = user_server.rows()
    again = user_server.post(person, key)
    assert (again.status, again.body, again.headers["location"]) == (201, first.body, first.headers["location"])
    assert user_server.rows() == before


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    database = Database(f"sqlite:///{tmp_path}/user.db")
    yield Service(database)
    database.close()


def test_a_command_whose_event_no_record_could_hold(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command whose event would exceed the largest record: 413 before commit, and its group goes on."""
    monkeypatch.setattr(record_size, "LARGEST_VALUE", 300)
    statuses: list[int] = []

    async def talk(client: httpx.AsyncClient) -> None:
        answers = [await client.post("/users", json=a_person(full_name=name)) for name in ("Ada", "A" * 200)]
        statuses.extend(answer.status_code for answer in answers)

    service.serve(talk)
    assert statuses == [201, 413]
    assert len(service.events()) == 1
