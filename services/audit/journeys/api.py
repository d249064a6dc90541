"""The journey API: `/audit/journeys/{id}` as JSON, and as a page with `.html` after the id."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.types import ControllerRouterHandler

from services.audit.journeys.journey import Journey, journey
from services.audit.journeys.page import choices_page, journey_page, unknown_page
from services.audit.journeys.search import Choice, Found
from services.audit.masking import PERSONAL_ROLE, masked_text
from services.chassis.http.auth.refusals import require_role
from services.chassis.http.problems import Refused, described
from services.chassis.messages.clock import from_micros
from services.contracts.envelope import to_text

Personal = Annotated[bool, QueryParameter(description="show personal data; needs the role audit")]
PAGE = ".html"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
UNKNOWN = (
    "no record in the audit log has this correlation id, user id, event id, notification id or Message-ID; "
    "if the command was just accepted, its records arrive within seconds"
)


class ChoiceBody(msgspec.Struct, frozen=True):
    """A command that touched the user: ask for its journey by its correlation id."""

    correlation_id: str
    type: str | None
    time: str | None
    records: int
    actor: str | None


class JourneyBody(msgspec.Struct, frozen=True):
    """The journey of the command that the id belongs to; for the id of a user, the commands to choose from."""

    journey: Journey | None
    choices: list[ChoiceBody]


def routes(find: Callable[[str], Found]) -> list[ControllerRouterHandler]:
    """Return the handlers. `find` looks an id up."""

    @get(
        "/audit/journeys/{id:path}",
        operation_id="getJourney",
        summary="Show everything that a command led to",
        description=(
            "The causal tree over all topics. The id is a correlation id, an event id, a notification id or a "
            "Message-ID, or a user id, which gives a list to choose from. With `.html` after the id: a page."
        ),
        responses={
            200: ResponseSpec(JourneyBody, generate_examples=False, description="the journey, or a user's commands"),
            **described(400, 404, 422, 500, 503),
        },
        sync_to_thread=True,
    )
    def show(
        request: Request[Any, Any, Any],
        id: FromPath[str],  # noqa: A002  # the parameter's public name
        personal: Personal = False,  # noqa: FBT002  # a query
    ) -> Response[JourneyBody | str]:
        if personal:
            require_role(request.scope, PERSONAL_ROLE)
        wanted = id.removeprefix("/").removesuffix(PAGE)  # an id of a foreign publisher may have a slash in it
        found = find(wanted)
        whole = journey(found.correlation_id, found.entries, personal=personal) if found.entries else None
        if id.endswith(PAGE):
            return _page(wanted, whole, found.choices, personal=personal)
        if whole is None and not found.choices:
            raise Refused(404, UNKNOWN)
        return Response(JourneyBody(whole, [_choice(choice, personal=personal) for choice in found.choices]))

    return [show]


def _choice(choice: Choice, *, personal: bool) -> ChoiceBody:
    time = None if choice.time is None else to_text(from_micros(choice.time))
    actor = choice.actor if personal else masked_text(choice.actor)
    return ChoiceBody(choice.correlation_id, choice.type, time, choice.records, actor)


def _page(wanted: str, whole: Journey | None, choices: list[Choice], *, personal: bool) -> Response[JourneyBody | str]:
    status = 200
    if whole is not None:
        text = journey_page(whole, personal=personal)
    elif choices:
        text = choices_page(wanted, [_choice(choice, personal=personal) for choice in choices])
    else:
        status, text = 404, unknown_page(wanted, UNKNOWN)
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return Response(text, media_type=MediaType.HTML, status_code=status, headers=headers)
