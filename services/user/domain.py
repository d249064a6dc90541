"""Pure functions of users: the facts of a command, and the state after each fact.

Knows no table, topic or HTTP. External texts are validated first, by `valid_…`.
"""

import enum
import unicodedata
from typing import assert_never

import msgspec
from email_validator import EmailNotValidError, validate_email

from services.contracts.user import (
    Change,
    ContactCleared,
    ContactFlagged,
    EmailChanged,
    Fact,
    NewAddress,
    Personal,
    Preferences,
    PreferencesChanged,
    Profile,
    ProfileChanged,
    Status,
    UserDeactivated,
    UserRegistered,
    UserState,
)
from services.user.text import characters, unique_form

LONGEST_NAME = 200
LONGEST_KEY = 400  # the width of the reservations' column: NFKC turns one character into up to 18
ENCODED_WORD = "=?"  # RFC 2047: mail programs decode what begins like this


class Because(enum.StrEnum):
    """The reasons to refuse a command."""

    INVALID = "invalid"
    NOT_FOUND = "not found"
    TAKEN = "taken"
    STALE = "stale"
    DEACTIVATED = "deactivated"
    KEY_REUSED = "key reused"
    TOO_LARGE = "too large"


class RefusedError(Exception):
    """A command is refused; the message gives the next step."""

    def __init__(self, because: Because, detail: str) -> None:
        super().__init__(detail)
        self.because = because


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The new values of a user's fields; None keeps a field."""

    email: str | None = None
    full_name: str | None = None
    locale: str | None = None
    preferences: Preferences | None = None


def valid_personal(personal: Personal) -> Personal:
    """Return personal fields in their canonical spelling. Raises RefusedError if they are invalid."""
    return msgspec.structs.replace(
        personal,
        login=valid_login(personal.login),
        email=valid_email(personal.email),
        full_name=valid_text("full_name", personal.full_name),
    )


def valid_changes(changes: Changes) -> Changes:
    """Return changes in their canonical spelling. Raises RefusedError."""
    return msgspec.structs.replace(
        changes,
        email=None if changes.email is None else valid_email(changes.email),
        full_name=None if changes.full_name is None else valid_text("full_name", changes.full_name),
    )


def change(user: UserState, changes: Changes) -> list[Fact]:
    """Return a fact for each changed part of a user. Raises RefusedError."""
    refuse_inactive(user)
    facts: list[Fact] = []
    if changes.email not in (None, user.personal.email):
        facts.append(EmailChanged(NewAddress(changes.email)))
    profile = msgspec.convert(user.personal, Profile, from_attributes=True)
    if (changed := _changed_profile(profile, changes)) != profile:
        facts.append(ProfileChanged(changed))
    if changes.preferences not in (None, user.preferences):
        facts.append(PreferencesChanged(changes.preferences))
    return facts


def _changed_profile(profile: Profile, changes: Changes) -> Profile:
    # By name: a field that is added to `Profile` cannot be forgotten here, which would reset it with any other change.
    given = {name: getattr(changes, name) for name in Profile.__struct_fields__}
    return msgspec.structs.replace(profile, **{name: value for name, value in given.items() if value is not None})


def deactivate(user: UserState) -> list[Fact]:
    """Return the fact of a deactivation, none if the user is deactivated already."""
    return [] if user.status is Status.DEACTIVATED else [UserDeactivated()]


def flag(user: UserState, email: str, reason: str) -> list[Fact]:
    """Return the fact that a user's address bounces; none if it is flagged already or no longer the user's."""
    if user.contact_flagged or user.personal.email != email or user.status is Status.DEACTIVATED:
        return []
    return [ContactFlagged(reason)]


def unflag(user: UserState) -> list[Fact]:
    """Return the fact that an operator cleared a flag; none if there is none."""
    return [ContactCleared()] if user.contact_flagged and user.status is not Status.DEACTIVATED else []


def evolve(user_id: str, user: UserState | None, fact: Fact) -> UserState:
    """Return a user's state after one more fact. Versions count facts, from 1."""
    if isinstance(fact, UserRegistered):
        return UserState(user_id, 1, Status.ACTIVE, fact.personal, fact.preferences)
    if user is None:
        raise ValueError(f"{type(fact).__name__} cannot be the first fact of user {user_id}")
    return msgspec.structs.replace(user, version=user.version + 1, **_difference(user.personal, fact))


def _difference(personal: Personal, fact: Change) -> dict[str, object]:
    replace, new = msgspec.structs.replace, dict[str, object]
    match fact:
        case EmailChanged():
            # The flag belongs to an address: a new address has not bounced yet.
            difference = new(personal=replace(personal, email=fact.personal.email), contact_flagged=False)
        case ProfileChanged():
            difference = new(personal=replace(personal, **msgspec.structs.asdict(fact.personal)))
        case PreferencesChanged():
            difference = new(preferences=fact.preferences)
        case ContactFlagged():
            difference = new(contact_flagged=True)
        case ContactCleared():
            difference = new(contact_flagged=False)
        case UserDeactivated():
            difference = new(status=Status.DEACTIVATED)
        case _:
            assert_never(fact)
    return difference


def refuse_inactive(user: UserState) -> None:
    """Raise RefusedError if the user is deactivated."""
    if user.status is Status.DEACTIVATED:
        raise RefusedError(Because.DEACTIVATED, f"user {user.user_id} is deactivated and cannot be changed")


def refuse_stale(user: UserState, expected: frozenset[int] | None) -> None:
    """Raise RefusedError if the user has none of the expected versions; None expects any."""
    if expected is not None and user.version not in expected:
        listed = ", ".join(map(str, sorted(expected)))[:LONGEST_NAME]
        detail = f"user {user.user_id} is at version {user.version}, If-Match has {listed}: read it again"
        raise RefusedError(Because.STALE, detail)


def key_of(text: str) -> str:
    """Return the form in which logins and addresses are unique."""
    return unique_form.casefolded(text)


def valid_text(field: str, text: str) -> str:
    """Return a text in NFC. Raises RefusedError for a wrong length and for characters that it may not have."""
    text = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(text) <= LONGEST_NAME:
        raise RefusedError(Because.INVALID, f"{field} must have 1 to {LONGEST_NAME} characters")
    if problem := characters.problem(text):
        raise RefusedError(Because.INVALID, f"{field} {problem}")
    return text


def valid_login(text: str) -> str:
    """Return a login in NFC. Raises RefusedError if it is invalid, or too long after normalisation."""
    return _reservable("login", valid_text("login", text))


def valid_email(text: str) -> str:
    """Return an address in its canonical spelling. Raises RefusedError for anything but a plain mailbox."""
    try:
        address = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise RefusedError(Because.INVALID, f"email: {error}") from None
    if ENCODED_WORD in address.local_part or not characters.is_visible(address.local_part):
        raise RefusedError(
            Because.INVALID, "email: the part before the @ is an encoded word or has no visible character"
        )
    return _reservable("email", address.normalized)


def _reservable(field: str, text: str) -> str:
    if len(key_of(text)) > LONGEST_KEY:
        raise RefusedError(Because.INVALID, f"{field} has more than {LONGEST_KEY} characters when normalised (NFKC)")
    return text
