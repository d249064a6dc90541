"""The matrix of roles and routes, every cell over HTTP: a role calls what its row allows, and nothing else."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from litestar import Litestar

from services.chassis.http.auth.access import PUBLIC, needed
from services.chassis.http.auth.caller import ROLES
from services.chassis.http.problems import MEDIA_TYPE
from services.contracts.api_access import ROUTES
from services.contracts.service_list import WITH_API
from tests.support.apis import applications
from tests.support.command_blocks import ROOT
from tests.support.issuer import KeyServer, a_token, bearer, served
from tests.support.user_process import Answer, ask

EXAMPLES = {
    "user_id": "01936d5e-0000-7000-8000-000000000001",
    "id": "some-command",
    "path": "0/000",
    "key": "x",
    "digest": "0" * 64,
}
REQUIRED = {"/notifications": "?user_id=x"}
CELLS = [(name, route, role) for name, rows in ROUTES.items() for route in rows for role in (*ROLES, "")]
PAGE = ROOT / "docs/access.md"
DOCS = ("/schema", "/schema/openapi.json")


class Running(NamedTuple):
    ports: dict[str, int]
    keys: KeyServer

    def ask(self, name: str, route: str, headers: dict[str, str]) -> Answer:
        method, path = route.split(" ")
        return ask(self.ports[name], method, path.format(**EXAMPLES) + REQUIRED.get(path, ""), None, headers)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with KeyServer() as keys, ExitStack() as stack:
        verifier = keys.verifier()
        apps = applications(protected=True).items()
        yield Running({name: stack.enter_context(served(app, verifier)) for name, app in apps}, keys)


def routes(app: Litestar) -> set[str]:
    found = {f"{method} {route.path_format}" for route in app.routes for method in route.methods}
    return {each for each in found if needed({}, *each.split(" ")) != {PUBLIC}}


@pytest.mark.parametrize("name", WITH_API)
def test_every_route_has_a_row_and_every_row_a_route(name: str) -> None:
    app = applications()[name]
    paths = app.openapi_schema.paths or {}
    documented = {
        f"{method.upper()} {path}"
        for path, item in paths.items()
        for method in ("get", "post", "put", "patch", "delete")
        if getattr(item, method)
    }
    assert documented == set(ROUTES[name])
    assert len(routes(app)) == len(documented)


def test_every_role_of_a_row_exists() -> None:
    assert {role for rows in ROUTES.values() for roles in rows.values() for role in roles} <= {*ROLES, PUBLIC}


@pytest.mark.parametrize(("name", "route", "role"), CELLS)
def test_a_role_calls_what_its_row_allows(running: Running, name: str, route: str, role: str) -> None:
    answer = running.ask(name, route, bearer(a_token(role, algorithm="ES256")))
    allowed = {role, PUBLIC} & set(ROUTES[name][route])
    assert (answer.status == 403) != bool(allowed), answer
    assert answer.status != 401
    if not allowed:
        scope = " ".join(sorted(ROUTES[name][route]))
        expected = f'Bearer realm="eventline", error="insufficient_scope", scope="{scope}"'
        assert answer.headers["www-authenticate"] == expected
        assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(("name", "route"), [(name, route) for name, rows in ROUTES.items() for route in rows])
def test_without_a_token_public_routes_answer_and_no_others(running: Running, name: str, route: str) -> None:
    answer = running.ask(name, route, {})
    if PUBLIC in ROUTES[name][route]:
        assert answer.status not in {401, 403}
    else:
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="eventline"'
        assert answer.json["title"] == "Unauthorized"


@pytest.mark.parametrize("path", DOCS)
def test_the_documentation_needs_no_token(running: Running, path: str) -> None:
    assert {ask(port, "GET", path, None, {}).status for port in running.ports.values()} == {200}


def test_options_shows_methods_alone(running: Running) -> None:
    answer = ask(running.ports["user"], "OPTIONS", "/users", None, {})
    assert (answer.status, answer.body) == (204, b"")


def test_personal_data_of_audit_needs_the_role_audit(running: Running) -> None:
    for path in ("/audit/entries?personal=true", "/audit/journeys/some-command?personal=true"):
        for role in ROLES:
            answer = ask(running.ports["audit"], "GET", path, None, bearer(a_token(role)))
            assert (answer.status == 403) == (role != "audit"), (role, answer)


def test_a_route_without_a_row_is_denied() -> None:
    assert needed({}, "GET", "/users") == frozenset()
    assert needed({"GET /users": ("read",)}, "POST", "/users") == frozenset()


def test_the_page_has_the_matrix() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    shown = {(row[0], row[1].strip("`")): row[2].split(", ") for row in rows if row[0] in ROUTES}
    assert shown == {(name, route): list(roles) for name, rows in ROUTES.items() for route, roles in rows.items()}
