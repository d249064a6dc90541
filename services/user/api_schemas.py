"""Bodies, parameters and examples of the user API. Closed structs of its own, not the contracts'.

The examples are one story, sent to the API in the order of the document by `tests/integration/test_user_openapi.py`.
"""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.datastructures import ResponseHeader
from litestar.enums import RequestEncodingType
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg, HeaderParameter, PathParameter, QueryParameter
from msgspec import Meta

from services.chassis.http.application import ApiDocument
from services.contracts.api_access import ROUTES
from services.contracts.envelope import LARGEST_VERSION
from services.contracts.user import Preferences, Status, UserState
from services.user.commands import Reply
from services.user.domain import LONGEST_NAME
from services.user.history import UserVersion

LARGEST_PAGE = 500
USUAL_PAGE = 50
LONGEST_KEY = 255
EXAMPLE_ID = "01936d5e-0000-7000-8000-000000000001"

Login = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_NAME,
        examples=["ada"],
        description="unique regardless of case and Unicode form",
    ),
]
Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=320,
        examples=["ada@example.org"],
        description="a mailbox without display name; unique, as logins",
    ),
]
FullName = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME, examples=["Ada Lovelace"])]
Locale = Annotated[
    # Python's `$` alone also matches before a last line break, and the OpenAPI document's dialect has no `\Z`.
    str, Meta(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$(?!\n)", examples=["en"], description="BCP 47, such as en or pt-BR")
]


class PreferencesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Channels on which a user accepts messages."""

    email: bool = True


class RegisterBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A new user."""

    login: Login
    email: Email
    full_name: FullName
    locale: Locale = "en"
    preferences: PreferencesBody = PreferencesBody()


class ChangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Changes to a user; a field that is absent or null keeps its value."""

    email: Email | None = None
    full_name: FullName | None = None
    locale: Locale | None = None
    preferences: PreferencesBody | None = None


class UserBody(msgspec.Struct, frozen=True):
    """A user as stored. `contact_flagged`: mail to this address bounced permanently; no more is sent to it."""

    user_id: str
    version: int
    status: Status
    login: str
    email: str
    full_name: str
    locale: str
    preferences: Preferences
    contact_flagged: bool


class PageBody(msgspec.Struct, frozen=True):
    """Users in the order of their ids. Send `next` as `after` to get the next page; null at the end."""

    items: list[UserBody]
    next: str | None


class VersionBody(msgspec.Struct, frozen=True):
    """A version of a user, and the event that led to it. The audit log has more under the correlation id."""

    event_id: str
    type: str
    time: datetime
    correlation_id: str
    user: UserBody


class HistoryBody(msgspec.Struct, frozen=True):
    """Versions of a user in order. Send `next` as `after` to get the next page; null at the end."""

    items: list[VersionBody]
    next: int | None


def version_of(found: UserVersion) -> VersionBody:
    """Return a version as the API shows it."""
    return VersionBody(found.event_id, found.type, found.time, found.correlation_id, body_of(found.user))


def body_of(user: UserState) -> UserBody:
    """Return a user as the API shows it."""
    personal = msgspec.structs.asdict(user.personal)
    return UserBody(
        user_id=user.user_id,
        version=user.version,
        status=user.status,
        preferences=user.preferences,
        contact_flagged=user.contact_flagged,
        **personal,
    )


NewUser = Annotated[
    RegisterBody,
    BodyKwarg(
        media_type=RequestEncodingType.JSON,
        examples=[Example(value={"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"})],
    ),
]
ChangedUser = Annotated[
    ChangeBody,
    BodyKwarg(
        media_type=RequestEncodingType.JSON,
        examples=[Example(value={"email": "countess@example.org", "locale": "en-GB"})],
    ),
]
UserId = Annotated[UUID, PathParameter(description="the user's id", examples=[Example(value=EXAMPLE_ID)])]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="ETag of the version to change, or a list of them; * for any; 428 if it is missing",
        examples=[Example(value="*")],
        schema_extra={"type": "string", "oneOf": None, "pattern": r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'},
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="makes the request repeatable: the same key and body get the first reply",
        schema_extra={"type": "string", "oneOf": None, "minLength": 1, "maxLength": LONGEST_KEY},
    ),
]
After = Annotated[UUID | None, QueryParameter(description="`next` of the previous page")]
AfterVersion = Annotated[int, QueryParameter(ge=0, le=LARGEST_VERSION, description="`next` of the previous page")]
AsOf = Annotated[
    str | None,
    QueryParameter(
        description="the user as of this moment: RFC 3339 with a zone, from the user's first event to now; not with "
        "`version`",
        schema_extra={"type": "string", "oneOf": None, "format": "date-time"},
    ),
]
Version = Annotated[
    int | None,
    QueryParameter(
        description="the user at this version, from 1 to the newest; not with `as_of`",
        ge=1,
        le=LARGEST_VERSION,
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE, description="page size")]
OfStatus = Annotated[Status | None, QueryParameter(name="status", description="only users with this status")]

ETAG = ResponseHeader(name="ETag", value='"1"', documentation_only=True, description="the user's version")
LOCATION = ResponseHeader(
    name="Location", value="/users/…", documentation_only=True, description="where the user can be read"
)
LINK = ResponseHeader(
    name="Link", value="<…>", documentation_only=True, description='the next page, as rel="next"; absent at the end'
)

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_ADA = UserBody(
    user_id=EXAMPLE_ID,
    version=1,
    status=Status.ACTIVE,
    login="ada",
    email="ada@example.org",
    full_name="Ada Lovelace",
    locale="en",
    preferences=Preferences(email=True),
    contact_flagged=False,
)
DOCUMENT = ApiDocument(
    access=ROUTES["user"],
    title="Eventline users",
    tag="Users",
    tag_description="Register, read, change and deactivate users.",
    closed=(PreferencesBody, RegisterBody, ChangeBody),
    examples={
        "registerUser": Reply(EXAMPLE_ID, 1, "command-1"),
        "listUsers": PageBody([_ADA], EXAMPLE_ID),
        "readUser": _ADA,
        "readUserHistory": HistoryBody([VersionBody("event-1", "user.registered", _MOMENT, "command-1", _ADA)], None),
        "changeUser": Reply(EXAMPLE_ID, 2, "command-2"),
        "deactivateUser": Reply(EXAMPLE_ID, 3, "command-3"),
    },
)
