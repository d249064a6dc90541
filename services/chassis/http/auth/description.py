"""Authentication in the OpenAPI document: the scheme, the roles of each operation, 401 and 403."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import msgspec
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    PathItem,
    Schema,
    SecurityScheme,
)
from litestar.openapi.spec.enums import OpenAPIType

from services.chassis.http.auth.access import EVERYBODY, Routes, needed
from services.chassis.http.problems import CATALOGUE, MEDIA_TYPE, problem
from services.chassis.http.request_checks import METHODS

SCHEME = "bearer"
REFUSALS = (401, 403)


class Described(NamedTuple):
    """The sentence and the components of a document."""

    sentence: str
    components: Components


NONE = Described("This deployment has no authentication: any client that reaches the API may use it.", Components())
COMPONENTS = Described(
    "A request needs a bearer token; each operation lists the roles of which the token must have one.",
    Components(
        security_schemes={
            SCHEME: SecurityScheme(
                type="http",
                scheme="bearer",
                bearer_format="JWT",
                description="A token of the configured issuer, signed with RS256, ES256 or EdDSA.",
            )
        }
    ),
)


def describe(paths: Mapping[str, PathItem], routes: Routes) -> None:
    """Add to each operation the roles that it needs and its refusals."""
    for path, item in paths.items():
        for method in METHODS:
            if operation := getattr(item, method):
                _describe(operation, needed(routes, method.upper(), path))


def _describe(operation: Operation, roles: frozenset[str]) -> None:
    if roles == EVERYBODY:
        operation.security = []
        return
    operation.security = [{SCHEME: []}]
    # Not as scopes of the scheme: OpenAPI 3.1 allows that, its linters do not.
    wanted = " or ".join(sorted(roles)) or "none exists: nobody may call this"
    operation.description = f"{operation.description or ''} Role: {wanted}.".lstrip()
    responses = operation.responses or {}
    described = responses["500"]
    if isinstance(described, OpenAPIResponse):
        responses |= {str(status): _refusal(status, described) for status in REFUSALS}
    operation.responses = dict(sorted(responses.items()))


def _refusal(status: int, like: OpenAPIResponse) -> OpenAPIResponse:
    kind = CATALOGUE[status]
    example = Example(value=msgspec.to_builtins(problem(status, kind.meaning)))
    schema = (like.content or {})[MEDIA_TYPE].schema
    header = OpenAPIHeader(schema=Schema(type=OpenAPIType.STRING), description="as RFC 6750 has it")
    return replace(
        like,
        description=f"{kind.meaning} {kind.remedy}",
        headers={"WWW-Authenticate": header},
        content={MEDIA_TYPE: OpenAPIMediaType(schema=schema, examples={"example": example})},
    )
