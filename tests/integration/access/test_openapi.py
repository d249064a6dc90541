"""The OpenAPI document has what a caller must know about tokens, and only where tokens are needed."""

from typing import Any

import pytest
from litestar import Litestar

from services.chassis.http.auth.access import PUBLIC
from services.chassis.http.problems import MEDIA_TYPE
from services.contracts.api_access import ROUTES
from services.contracts.service_list import WITH_API
from tests.support.apis import applications

Operations = dict[str, dict[str, Any]]


def operations(document: dict[str, Any]) -> Operations:
    return {f"{method.upper()} {path}": one for path, item in document["paths"].items() for method, one in item.items()}


def document_of(app: Litestar) -> dict[str, Any]:
    return app.openapi_schema.to_schema()


@pytest.mark.parametrize("name", WITH_API)
def test_an_operation_has_its_roles_and_its_refusals(name: str) -> None:
    document = document_of(applications(protected=True)[name])
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    assert "bearer token" in document["info"]["description"]
    for route, operation in operations(document).items():
        roles = ROUTES[name][route]
        if PUBLIC in roles:
            assert operation["security"] == []
            assert "401" not in operation["responses"]
            continue
        assert operation["security"] == [{"bearer": []}]
        assert operation["description"].endswith(f" Role: {' or '.join(sorted(roles))}.")
        for status in ("401", "403"):
            response = operation["responses"][status]
            assert "WWW-Authenticate" in response["headers"]
            assert response["content"][MEDIA_TYPE]["examples"]["example"]["value"]["status"] == int(status)


@pytest.mark.parametrize("name", WITH_API)
def test_without_authentication_the_document_states_that_there_is_none(name: str) -> None:
    document = document_of(applications()[name])
    assert "has no authentication" in document["info"]["description"]
    assert not any("security" in operation for operation in operations(document).values())
