"""Guard against unknown and repeated query parameters, for every route.

Litestar ignores an unknown parameter: a filter with a typo in its name would find everything.
"""

from difflib import get_close_matches
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import Parameter

from services.chassis.http.problems import Refused

LONGEST_SHOWN = 200


class ParameterGuard:
    """Accepts the query parameters that the OpenAPI document of the application lists, each at most once."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], frozenset[str]] = {}

    def learn(self, app: Litestar) -> None:
        """Read the parameters of each operation."""
        for path, item in (app.openapi_schema.paths or {}).items():
            for method in ("get", "post", "put", "patch", "delete"):
                if operation := getattr(item, method):
                    self._names[path, method.upper()] = _query(operation.parameters or [])

    def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Raise Refused for an unknown or a repeated parameter."""
        if not connection.scope["query_string"] or connection.scope.get("method", "") == "OPTIONS":
            return
        known = self._names.get((connection.scope["path_template"], str(connection.scope.get("method"))), frozenset())
        given = connection.query_params
        if unknown := sorted(set(given) - known):
            raise Refused(422, _unknown(unknown, known))
        if repeated := sorted(name for name in known if len(given.getall(name, [])) > 1):
            raise Refused(422, f"parameter {', '.join(repeated)} is given more than once")


def _query(parameters: list[Any]) -> frozenset[str]:
    return frozenset(each.name for each in parameters if isinstance(each, Parameter) and each.param_in == "query")


def _unknown(unknown: list[str], known: frozenset[str]) -> str:
    nearest = get_close_matches(unknown[0], known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return (
        f"unknown parameters {', '.join(unknown)[:LONGEST_SHOWN]!r}; {hint}"
        f"known parameters: {', '.join(sorted(known)) or 'none'}"
    )
