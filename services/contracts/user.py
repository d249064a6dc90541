"""Messages of the user service: facts, the full state after each fact, and notices without data.

Personal fields are in one nested struct `personal`, so that encrypting them later replaces one field.
Readers ignore unknown fields; an optional addition keeps the shape, anything else is a new type version.
"""

import enum

import msgspec

EVENTS = "/user/events"
STATE = "/user/state"
NOTICES = "/user/notices"


class Status(enum.StrEnum):
    """The state of a user's account."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"


class Personal(msgspec.Struct, frozen=True):
    """Personal data. `locale` is a BCP 47 tag such as `en`."""

    login: str
    email: str
    full_name: str
    locale: str


class Preferences(msgspec.Struct, frozen=True):
    """The channels on which a user wants to hear from us."""

    email: bool = True


class UserRegistered(msgspec.Struct, frozen=True):
    """`user.registered`: a user came to be; version 1 of its subject."""

    personal: Personal
    preferences: Preferences


class NewAddress(msgspec.Struct, frozen=True):
    """The personal part of an address change."""

    email: str


class EmailChanged(msgspec.Struct, frozen=True):
    """`user.email_changed`: mail goes to another address from now on."""

    personal: NewAddress


class Profile(msgspec.Struct, frozen=True):
    """The personal part of a profile change."""

    full_name: str
    locale: str


class ProfileChanged(msgspec.Struct, frozen=True):
    """`user.profile_changed`: full name or locale, both as they are now."""

    personal: Profile


class PreferencesChanged(msgspec.Struct, frozen=True):
    """`user.preferences_changed`: the preferences as they are now."""

    preferences: Preferences


class ContactFlagged(msgspec.Struct, frozen=True):
    """`user.contact_flagged`: mail to the address bounced for good. `reason` has the mail server's codes.

    Older events have the text of its reply in it too.
    """

    reason: str


class ContactCleared(msgspec.Struct, frozen=True):
    """`user.contact_cleared`: an operator cleared the flag, so that mail to the address is sent again."""


class UserDeactivated(msgspec.Struct, frozen=True):
    """`user.deactivated`: the user may no longer act; login and address stay reserved."""


class UserState(msgspec.Struct, frozen=True):
    """`user.state`: the whole record after a fact, for event-carried state transfer."""

    user_id: str
    version: int
    status: Status
    personal: Personal
    preferences: Preferences
    contact_flagged: bool = False


class UserNotice(msgspec.Struct, frozen=True):
    """`user.notice`: that something happened, and nothing else. `type` names the fact."""

    user_id: str
    type: str
    version: int


Change = EmailChanged | ProfileChanged | PreferencesChanged | ContactFlagged | ContactCleared | UserDeactivated
Fact = UserRegistered | Change
