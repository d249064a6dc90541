"""The Litestar application of a service: problem details, request checks and an OpenAPI document under `/schema`."""

from collections.abc import Mapping, Sequence

import msgspec
from litestar import Litestar
from litestar.middleware import DefineMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Contact, Example, License, Operation, Server, Tag
from litestar.types import ControllerRouterHandler

from services.chassis.http import api_docs, problems
from services.chassis.http.answer_deadline import AnswerDeadline
from services.chassis.http.auth import description as security
from services.chassis.http.auth.access import Routes
from services.chassis.http.auth.middleware import Authorization
from services.chassis.http.limits import LARGEST_BODY
from services.chassis.http.request_checks import METHODS, RequestChecks

DESCRIPTION = (
    "Errors are problem details (RFC 9457). `X-Correlation-ID` is accepted if it has 1 to 64 letters, digits and -_.:, "
    "generated otherwise, and is in every response and on every event that a request leads to."
)


class ApiDocument(msgspec.Struct, frozen=True):
    """The parts of an OpenAPI document that Litestar cannot infer.

    `closed` lists the bodies that forbid unknown fields; `examples` maps an operationId to its response. `access` has
    the roles of each route.
    """

    title: str
    tag: str = "Test"
    tag_description: str = ""
    closed: Sequence[type[msgspec.Struct]] = ()
    examples: Mapping[str, object] = {}
    access: Routes = {}


def application(
    handlers: Sequence[ControllerRouterHandler], document: ApiDocument, *, protected: bool = False
) -> Litestar:
    """Return an application whose every error is a problem detail; if it is `protected`, roles are required."""
    checks = RequestChecks()
    guards = [DefineMiddleware(Authorization, routes=document.access)] if protected else []
    app = Litestar(
        route_handlers=handlers,
        before_request=checks,
        middleware=[*guards, AnswerDeadline],
        exception_handlers=problems.HANDLERS,
        openapi_config=_openapi(document, security.COMPONENTS if protected else security.NONE),
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )
    _complete(app, document)
    if protected:
        security.describe(app.openapi_schema.paths or {}, document.access)
    checks.learn(app)
    return app


def _openapi(document: ApiDocument, access: security.Described) -> OpenAPIConfig:
    return OpenAPIConfig(
        title=document.title,
        version="1",
        description=f"{access.sentence} {DESCRIPTION}",
        components=access.components,
        contact=Contact(name="The operators of this service"),
        license=License(name="Apache 2.0", identifier="Apache-2.0"),
        servers=[Server(url="/", description="The service that serves this document")],
        tags=[Tag(name=document.tag, description=document.tag_description)],
        render_plugins=[api_docs.swagger_ui(), JsonRenderPlugin()],
        openapi_router=api_docs.router(),
    )


def _complete(app: Litestar, document: ApiDocument) -> None:
    schemas = app.openapi_schema.components.schemas
    for body in document.closed:
        schemas[body.__name__].additional_properties = False
    for item in (app.openapi_schema.paths or {}).values():
        for operation in filter(None, (getattr(item, method) for method in METHODS)):
            operation.tags = [document.tag]
            if operation.operation_id in document.examples:
                _add_example(operation, document.examples[operation.operation_id])


def _add_example(operation: Operation, example: object) -> None:
    for status, response in (operation.responses or {}).items():
        if status.startswith("2"):
            response.content["application/json"].examples = {"example": Example(value=example)}  # type: ignore[union-attr, index]
