"""The notification API: read-only. Responses contain addresses, so do not expose it outside the cluster."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from services.chassis.http.application import ApiDocument
from services.chassis.http.problems import Refused, described
from services.chassis.http.request_checks import LARGEST_INTEGER
from services.contracts.api_access import ROUTES
from services.notification.domain import IntentState, ListedIntent, status_of

LONGEST_WAIT_S = 5.0
POLL_S = 0.05
LARGEST_PAGE = 1000
DESCRIPTION = (
    "Responds at once or, with `min_version`, as soon as that version of the user is processed: after a write that "
    "returned version 5, `min_version=5` shows its notifications. If that takes more than 5 s, the response is 503: "
    "repeat the request. An unknown user has version 0 and an empty list."
)


class Notification(msgspec.Struct, frozen=True):
    """One message. `status` is queued, sent, failed or suppressed; `detail` gives the reason."""

    notification_id: str
    user_version: int
    template: str
    recipient: str | None
    status: str
    detail: str
    correlation_id: str
    tries: int
    updated_at: datetime


class Page(msgspec.Struct, frozen=True):
    """Notifications of a user, oldest first. Send `next` as `after` to get the next page; null at the end.

    Every notification of the user's versions up to `user_version` is in the list.
    """

    user_id: str
    user_version: int
    items: list[Notification]
    next: int | None


class Api(msgspec.Struct, frozen=True):
    """Queries of the handlers: a user's processed version, and notifications (user, after, limit)."""

    version: Callable[[str], int]
    notifications: Callable[[str, int, int], list[ListedIntent]]
    longest_wait_s: float = LONGEST_WAIT_S

    def routes(self) -> list[ControllerRouterHandler]:
        """Return the handlers."""

        @get(
            "/notifications",
            operation_id="listNotifications",
            summary="List a user's notifications",
            description=DESCRIPTION,
            responses=described(400, 422, 500, 503),
        )
        async def notifications(
            user_id: Annotated[str, QueryParameter(min_length=1, max_length=64, description="the user's id")],
            min_version: Annotated[
                int, QueryParameter(ge=0, le=LARGEST_INTEGER, description="wait up to 5 s for this version of the user")
            ] = 0,
            after: Annotated[
                int, QueryParameter(ge=0, le=LARGEST_INTEGER, description="`next` of the previous page")
            ] = 0,
            limit: Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE, description="page size")] = LARGEST_PAGE,
        ) -> Page:
            version = await self._await_version(user_id, min_version)
            found = await asyncio.to_thread(self.notifications, user_id, after, limit)
            following = found[-1].place if len(found) == limit else None
            return Page(user_id, version, [_shown(listed) for listed in found], following)

        return [notifications]

    async def _await_version(self, user_id: str, wanted: int) -> int:
        deadline = time.monotonic() + self.longest_wait_s
        while (version := await asyncio.to_thread(self.version, user_id)) < wanted:
            if time.monotonic() > deadline:
                detail = f"user {user_id} is processed up to version {version}, not {wanted} yet: repeat the request"
                raise Refused(503, detail)
            await asyncio.sleep(POLL_S)
        return version


def _shown(listed: ListedIntent) -> Notification:
    fields = msgspec.structs.asdict(listed)
    del fields["place"]
    status = status_of(IntentState(fields.pop("state")))
    return Notification(**fields, status=status)


DOCUMENT = ApiDocument(
    access=ROUTES["notification"],
    title="Eventline notifications",
    tag="Notifications",
    tag_description="Mails that were, or will be, sent to users.",
    examples={
        "listNotifications": Page(
            "01936d5e-0000-7000-8000-000000000001",
            1,
            [
                Notification(
                    notification_id="01936d5e-0000-7000-8000-000000000002",
                    user_version=1,
                    template="welcome",
                    recipient="ada@example.org",
                    status="sent",
                    detail="250 ok",
                    correlation_id="command-1",
                    tries=1,
                    updated_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
                )
            ],
            1,
        )
    },
)
