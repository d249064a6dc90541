"""Bodies, parameters and examples of the user API. Closed structs of its own, not the contracts'.

The examples are one story, sent to the API in the order of the document by `tests/integration/test_user_openapi.py`.
"""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar.datastructures import ResponseHeader
from litestar.enums import RequestEncodingType
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg, HeaderParameter, PathParameter, QueryParameter
from msgspec import Meta

from services.contracts.user import Preferences, Status, UserState
from services.user.domain import LONGEST_NAME

LARGEST_PAGE = 500
USUAL_PAGE = 50
LONGEST_KEY = 255
EXAMPLE_ID = "01936d5e-0000-7000-8000-000000000001"

Login = Annotated[
    str,
    Meta(min_length=1, max_length=LONGEST_NAME, examples=["ada"], description="unique whatever its case and form"),
]
Email = Annotated[
    str,
    Meta(min_length=3, max_length=320, examples=["ada@example.org"], description="a plain mailbox; unique, as logins"),
]
FullName = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME, examples=["Ada Lovelace"])]
Locale = Annotated[
    str, Meta(pattern="^[a-z]{2,3}(-[A-Z]{2})?$", examples=["en"], description="BCP 47, such as en or pt-BR")
]


class PreferencesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The channels on which a user wants to hear from us."""

    email: bool = True


class RegisterBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new user."""

    login: Login
    email: Email
    full_name: FullName
    locale: Locale = "en"
    preferences: PreferencesBody = PreferencesBody()


class ChangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be different; a field that is left away, or null, stays as it is."""

    email: Email | None = None
    full_name: FullName | None = None
    locale: Locale | None = None
    preferences: PreferencesBody | None = None


CLOSED = (PreferencesBody, RegisterBody, ChangeBody)


class UserBody(msgspec.Struct, frozen=True):
    """A user as stored. `contact_flagged`: mail to this address bounced for good, and no more is sent to it."""

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
    """Users in the order of their ids. `next` is what to give as `after` for those that follow, null at the end."""

    items: list[UserBody]
    next: str | None


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
        description="ETag of the version that this is meant for, * for any; without it the answer is 428",
        examples=[Example(value="*")],
        schema_extra={"type": "string", "oneOf": None, "pattern": r'^(\*|"[0-9]{1,9}")$'},
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="makes the request repeatable: the same key and body get the first one's reply",
        schema_extra={"type": "string", "oneOf": None, "minLength": 1, "maxLength": LONGEST_KEY},
    ),
]
After = Annotated[UUID | None, QueryParameter(description="`next` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE, description="how many at most")]
OfStatus = Annotated[Status | None, QueryParameter(name="status", description="only users of this status")]

ETAG = ResponseHeader(name="ETag", value='"1"', documentation_only=True, description="the user's version")
LOCATION = ResponseHeader(
    name="Location", value="/users/…", documentation_only=True, description="where the user can be read"
)
LINK = ResponseHeader(
    name="Link", value="<…>", documentation_only=True, description='the next page, as rel="next"; absent at the end'
)
