"""BAD-INPUT, surface HTTP: every query parameter of every API, as the OpenAPI documents list them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from litestar.testing import TestClient

from services.chassis.http.request_checks import LARGEST_INTEGER
from tests.support.apis import applications

APPS = applications()
NO_INTEGERS = [
    str(LARGEST_INTEGER + 1),
    str(-LARGEST_INTEGER - 2),
    "9" * 30,
    "9" * 5000,
    "-2",
    "1.5",
    "1e400",
    "x",
    "",
    "0x1",
]
NO_TIMES = [
    "yesterday",
    "2026-11-22T12:00:00",
    "2026-13-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "9" * 20,
    "",
    "0000-01-01T00:00:00Z",
]
NOBODY = "01936d5e-0000-7000-8000-000000000001"  # parameters are judged before the user is looked for
Parameter = tuple[str, str, str, dict[str, Any]]  # service, path, name, schema


def parameters() -> Iterator[Parameter]:
    for service, app in APPS.items():
        for path, item in app.openapi_schema.to_schema()["paths"].items():
            for parameter in item.get("get", {}).get("parameters", []):
                if parameter["in"] == "query":
                    yield service, path.replace("{user_id}", NOBODY), parameter["name"], parameter["schema"]


ALL = list(parameters())
IDS = [f"{service} {name}" for service, _, name, _ in ALL]


def schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    alternatives: list[dict[str, Any]] = schema.get("oneOf", [schema])
    return alternatives


def detail(service: str, path: str, query: str) -> str:
    """Return what a request is refused for."""
    with TestClient(APPS[service]) as client:
        answer = client.get(f"{path}?{query}")
    assert answer.status_code == 422, (query[:100], answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.text


def invalid_values(schema: dict[str, Any]) -> list[str]:
    types = {one.get("type") for one in schemas(schema)}
    times = any(one.get("format") == "date-time" for one in schemas(schema))
    return ["a\0b", "x" * 10_000, *(NO_INTEGERS if "integer" in types else []), *(NO_TIMES if times else [])]


def test_every_parameter_is_found() -> None:
    assert {"user after", "notification user_id", "notification after", "audit from", "audit limit"} <= set(IDS)


# as_of is judged by the range of a user's own events, in a store: tests/integration/user/test_history.py.
WITHOUT_STORE = [one for one in ALL if one[2] != "as_of"]


@pytest.mark.parametrize(
    ("service", "path", "name", "schema"), WITHOUT_STORE, ids=[f"{one[0]} {one[2]}" for one in WITHOUT_STORE]
)
def test_a_value_out_of_range(service: str, path: str, name: str, schema: dict[str, Any]) -> None:
    """Integers beyond 64 bits, times beyond year 9999, NUL in any parameter, on every API: 422, named."""
    others = "" if name == "user_id" or service != "notification" else "user_id=u&"
    for value in invalid_values(schema):
        found = detail(service, path, f"{others}{name}={quote(value)}")
        assert name in found or "zone" in found, value


@pytest.mark.parametrize(("service", "path", "name", "schema"), ALL, ids=IDS)
def test_a_repeated_or_unknown_parameter(service: str, path: str, name: str, schema: dict[str, Any]) -> None:
    """Unknown or repeated parameters, on every API: 422, named."""
    assert schema
    assert f"{name} is given more than once" in detail(service, path, f"{name}=1&{name}=1")
    assert f"did you mean '{name}'?" in detail(service, path, f"{name}x=1")
