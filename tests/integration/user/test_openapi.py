"""What the user API says of itself is what it does: its examples work, and no request finds anything else."""

import html
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineEvent, FatalError, NonFatalError, ScenarioFinished

from services.chassis.database.database import Database
from services.chassis.http.problems import CATALOGUE, MEDIA_TYPE, markdown
from services.user.api_schemas import EXAMPLE_ID
from tests.support.user_client import Service

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
REQUESTS = "http_server_request_duration_seconds_count"
REGISTERED = {"http_request_method": "POST", "http_route": "/users", "http_response_status_code": "201"}
OPERATIONS = ("listUsers", "registerUser", "readUser", "changeUser", "deactivateUser")
# Beyond JSON Schema's reach: what is a mailbox or a name, a user's version, whose key it was.
REFUSALS = ["412", "422", "428"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    database = Database(f"sqlite:///{tmp_path}/user.db")
    yield Service(database)
    database.close()


async def described(client: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get("/schema/openapi.json")).json()
    return document


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for item in document["paths"].values() for operation in item.values()}


async def follow(client: httpx.AsyncClient, command: str) -> httpx.Response:
    """Do what a curl command says."""
    words = shlex.split(command)
    options = [(words[at], words[at + 1]) for at in range(2, len(words) - 1, 2)]
    headers = dict(value.split(": ", 1) for name, value in options if name == "-H")
    body = next((value.encode() for name, value in options if name == "-d"), None)
    return await client.request(words[3], words[-1], headers=headers, content=body)


def test_every_operation_has_an_id_a_summary_and_all_its_errors_in_the_catalogue(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        found = operations(await described(client))
        assert set(found) == set(OPERATIONS)
        for operation in found.values():
            assert operation["summary"]
            for status, response in operation["responses"].items():
                if not status.startswith("2"):
                    content = response["content"][MEDIA_TYPE]
                    example = next(iter(content["examples"].values()))["value"]
                    assert example["title"] == CATALOGUE[int(status)].title
                    assert CATALOGUE[int(status)].remedy in response["description"]

    service.serve(talk)


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_the_docs_pages_command_for_an_operation_works_as_it_stands(service: Service, operation_id: str) -> None:
    service.next_ids.append(EXAMPLE_ID)  # of whom the examples speak

    async def talk(client: httpx.AsyncClient) -> None:
        page = (await client.get("/schema")).text
        commands = commands_of(page)
        if operation_id != "registerUser":
            assert (await follow(client, commands["registerUser"])).status_code == 201
        response = await follow(client, commands[operation_id])
        assert response.is_success, response.text

    service.serve(talk)


def commands_of(page: str) -> dict[str, str]:
    """Return each operation's command on the docs page."""
    sections = html.unescape(page).split('<h2 id="')[1:]
    return {part[: part.index('"')]: part[part.index("<pre>") + 5 : part.index("</pre>")] for part in sections}


def test_the_docs_page_needs_nothing_from_elsewhere(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        response = await client.get("/schema")
        assert response.headers["content-type"].startswith("text/html")
        assert all(operation_id in response.text for operation_id in OPERATIONS)
        for loads in ("<script", "src=", "@import", "url(", "//cdn"):
            assert loads not in response.text
        assert response.text.count("<link") == response.text.count('href="data:,"') == 1

    service.serve(talk)


def test_the_page_of_errors_is_the_catalogue() -> None:
    assert PAGE.read_text() == markdown(), f"print it anew: python -m services.chassis.http.problems > {PAGE}"


def test_schemathesis_finds_nothing(service: Service) -> None:
    """Some 500 requests to every operation, valid, invalid and in sequence: each answer is as the document says."""
    loaded = schemathesis.openapi.from_asgi("/schema/openapi.json", service.app)
    checks = loaded.config.checks
    checks.positive_data_acceptance.expected_statuses = [*checks.positive_data_acceptance.expected_statuses, *REFUSALS]
    checks.negative_data_rejection.expected_statuses = [*checks.negative_data_rejection.expected_statuses, *REFUSALS]
    loaded.config.generation.max_examples = 40
    loaded.config.seed = 7
    with service.running():
        found = [told for event in from_schema(loaded).execute() for told in findings(event)]
    assert found == []
    assert service.metric(REQUESTS, **REGISTERED) > 0


def findings(event: EngineEvent) -> list[str]:
    """Return what an event of the engine holds against the API."""
    if isinstance(event, NonFatalError | FatalError):
        return [str(event)]
    if not isinstance(event, ScenarioFinished):
        return []
    recorder = event.recorder
    return [
        f"{check.name}: {check.failure_info.failure}: {recorder.cases[case_id].value.as_curl_command()}"
        for case_id, checks in recorder.checks.items()
        for check in checks
        if check.failure_info
    ]
