"""The user API follows its OpenAPI document: its examples work, and no request finds a difference."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineEvent, FatalError, NonFatalError, ScenarioFinished

from services.chassis.database.database import Database
from services.chassis.http.problems import MEDIA_TYPE
from services.user.api_errors import CATALOGUE
from services.user.api_schemas import DOCUMENT, EXAMPLE_ID
from services.workbench.documents.errors import PATH, text
from tests.support.user_client import Service

REQUESTS = "http_server_request_duration_seconds_count"
REGISTERED = {"http_request_method": "POST", "http_route": "/users", "http_response_status_code": "201"}
OPERATIONS = tuple(DOCUMENT.examples)
# Beyond JSON Schema's reach: what is a mailbox or a name, a user's version, whose key it was.
REFUSALS = ["412", "422", "428"]
NO_LIST_OF_ETAGS = "400"  # schemathesis sends `If-Match: 0` as valid, whatever the pattern


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


async def send_example(client: httpx.AsyncClient, operation_id: str) -> httpx.Response:
    """Send the request that the document's examples describe."""
    paths = (await described(client))["paths"]
    (found,) = [
        (method, path, operation)
        for path, item in paths.items()
        for method, operation in item.items()
        if operation["operationId"] == operation_id
    ]
    method, url, operation = found
    headers: dict[str, str] = {}
    for parameter in operation.get("parameters", []):
        for example in list(parameter.get("examples", {}).values())[:1]:
            if parameter["in"] == "path":
                url = url.replace("{" + parameter["name"] + "}", example["value"])
            elif parameter["in"] == "header":
                headers[parameter["name"]] = example["value"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return await client.request(
        method, url, headers=headers, json=next(iter(body.get("schema", {}).get("examples", [])), None)
    )


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
def test_the_examples_of_an_operation_are_a_request_that_succeeds(service: Service, operation_id: str) -> None:
    service.next_ids.append(EXAMPLE_ID)

    async def talk(client: httpx.AsyncClient) -> None:
        if operation_id != "registerUser":
            assert (await send_example(client, "registerUser")).status_code == 201
        response = await send_example(client, operation_id)
        assert response.is_success, response.text

    service.serve(talk)


def test_the_docs_page_loads_its_assets_from_the_service_only(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        page = await client.get("/schema")
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert all(operation_id in page.text for operation_id in OPERATIONS)
        loaded = re.findall(r'(?:src|href)=["\']([^"\']+)', page.text)
        assert [address for address in loaded if not address.startswith(("/schema/assets/", "data:"))] == []
        assets = [await client.get(address) for address in loaded if address.startswith("/")]
        assert [asset.status_code for asset in assets] == [200] * 3
        assert all(len(asset.content) > 100_000 for asset in assets)
        assert (await client.get("/schema/assets/other.js")).status_code == 404

    service.serve(talk)


def test_the_page_of_errors_is_the_catalogue() -> None:
    assert PATH.read_text() == text(), f"{PATH} is outdated: run make docs"


def test_schemathesis_finds_nothing(service: Service) -> None:
    """Some 500 requests to every operation, valid, invalid and in sequence: each answer is as documented."""
    loaded = schemathesis.openapi.from_asgi("/schema/openapi.json", service.app)
    checks = loaded.config.checks
    accepted = checks.positive_data_acceptance.expected_statuses
    checks.positive_data_acceptance.expected_statuses = [*accepted, *REFUSALS, NO_LIST_OF_ETAGS]
    checks.negative_data_rejection.expected_statuses = [*checks.negative_data_rejection.expected_statuses, *REFUSALS]
    checks.use_after_free.enabled = False  # DELETE deactivates: the user can still be read
    loaded.config.generation.max_examples = 40
    loaded.config.seed = 7
    with service.running():
        found = [finding for event in from_schema(loaded).execute() for finding in findings(event)]
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
