"""A group of commands, decided one after the other in memory."""

from datetime import datetime

import msgspec

from services.chassis.messages.event import Metadata
from services.contracts.user import EmailChanged, Preferences, Status, UserRegistered, UserState
from services.user.commands import Answered, Change, Command, Deactivate, Register, Reply
from services.user.domain import Because, Changes, RefusedError, key_of
from services.user.handlers import Group
from tests.support.builders import a_person, ids


class Rows:
    """The rows that a group touches, held in dictionaries."""

    def __init__(self) -> None:
        self.users: dict[str, UserState] = {}
        self.answers: dict[str, Answered] = {}

    def user(self, user_id: str) -> UserState | None:
        return self.users.get(user_id)

    def owner(self, kind: str, key: str) -> str | None:
        held = {key_of(getattr(user.personal, kind)): user.user_id for user in self.users.values()}
        return held.get(key)

    def answered(self, key: str) -> Answered | None:
        return self.answers.get(key)

    def put(self, user: UserState) -> None:
        self.users[user.user_id] = user

    def answer(self, key: str, answered: Answered) -> None:
        self.answers[key] = answered

    def write(self, _: datetime) -> None:
        raise AssertionError("a group that is only decided is not written")


def register(user_id: str, key: str = "", **personal: str) -> Command:
    person = a_person(**({"login": user_id, "email": f"{user_id}@example.org"} | personal))
    return a_command(Register(user_id, person, Preferences()), key or f"register {user_id}")


def change(user_id: str, expected: int | None = None, **changes: object) -> Command:
    wanted = msgspec.convert(changes, Changes)
    return a_command(Change(user_id, versions(expected), wanted), f"change {user_id} {expected} {changes}")


def deactivate(user_id: str, expected: int | None = None) -> Command:
    return a_command(Deactivate(user_id, versions(expected)), f"deactivate {user_id} {expected}")


def versions(expected: int | None) -> frozenset[int] | None:
    return None if expected is None else frozenset({expected})


def a_command(action: Register | Change | Deactivate, key: str) -> Command:
    return Command(action, key, f"print of {key}".encode(), Metadata(f"correlation of {key}"))


def decide(*commands: Command, rows: Rows | None = None) -> tuple[list[object], Group]:
    """Return each outcome as the version or the reason of the refusal; and the group."""
    group = Group(rows or Rows(), ids("event"))
    outcomes = group.decide_all(commands)
    return [outcome.version if isinstance(outcome, Reply) else outcome.because for outcome in outcomes], group


def test_a_registration_becomes_one_event_with_the_record_after_it() -> None:
    outcomes, group = decide(register("ada"))
    (event,) = group.events
    assert outcomes == [1]
    assert (event.event_id, event.subject, event.version, event.type) == ("event-1", "ada", 1, "user.registered")
    assert msgspec.json.decode(event.data, type=UserRegistered).personal.login == "ada"
    assert msgspec.json.decode(event.state or "", type=UserState).version == 1
    assert event.metadata.correlation_id == "correlation of register ada"


def test_a_change_of_several_parts_becomes_several_events_with_the_record_after_each() -> None:
    outcomes, group = decide(register("ada"), change("ada", 1, email="a@b.org", full_name="Ada King"))
    assert outcomes == [1, 3]
    assert [(event.version, event.type) for event in group.events[1:]] == [
        (2, "user.email_changed"),
        (3, "user.profile_changed"),
    ]
    between = msgspec.json.decode(group.events[1].state or "", type=UserState)
    assert (between.version, between.personal.email, between.personal.full_name) == (2, "a@b.org", "Ada Lovelace")
    assert msgspec.json.decode(group.events[1].data, type=EmailChanged).personal.email == "a@b.org"


def test_a_second_registration_in_one_group_cannot_take_the_first_ones_login_or_address() -> None:
    outcomes, group = decide(
        register("ada"), register("eve", email="ADA@example.org"), register("eva", login="ＡＤＡ"), register("bob")
    )
    assert outcomes == [1, Because.TAKEN, Because.TAKEN, 1]
    assert [event.subject for event in group.events] == ["ada", "bob"]


def test_a_key_twice_in_one_group_gives_one_reply() -> None:
    group = Group(Rows(), ids("event"))
    first, second = group.decide_all([register("ada", key="k"), register("other", key="k", login="ada")])
    assert first == second == Reply("ada", 1, "correlation of k")
    assert len(group.events) == 1


def test_a_key_that_stands_for_another_request_is_refused() -> None:
    other = msgspec.structs.replace(register("eve", key="k"), fingerprint=b"another")
    assert decide(register("ada", key="k"), other)[0] == [1, Because.KEY_REUSED]


def test_a_refused_command_leaves_no_trace_and_its_key_stays_free() -> None:
    rows = Rows()
    outcomes, group = decide(change("ada"), rows=rows)
    assert (outcomes, group.events, rows.users, rows.answers) == ([Because.NOT_FOUND], [], {}, {})


def test_an_address_is_handed_over_within_a_group() -> None:
    outcomes, _ = decide(
        register("ada", email="shared@example.org"),
        register("eve", email="shared@example.org"),
        change("ada", email="ada@example.org"),
        register("eve", email="shared@example.org"),
    )
    assert outcomes == [1, Because.TAKEN, 2, 1]


def test_two_users_cannot_have_one_address_after_a_change() -> None:
    assert decide(register("ada"), register("eve"), change("eve", email="ADA@example.org"))[0] == [
        1,
        1,
        Because.TAKEN,
    ]


def test_a_user_may_spell_their_own_address_anew() -> None:
    assert decide(register("ada"), change("ada", email="Ada@example.org"))[0] == [1, 2]


def test_of_two_changes_of_one_version_the_second_is_stale() -> None:
    assert decide(register("ada"), change("ada", 1, locale="de"), change("ada", 1, locale="fr"))[0] == [
        1,
        2,
        Because.STALE,
    ]


def test_a_change_of_nothing_is_answered_with_the_version_as_it_is_and_remembered() -> None:
    rows = Rows()
    outcomes, group = decide(register("ada"), change("ada"), rows=rows)
    assert (outcomes, len(group.events), len(rows.answers)) == ([1, 1], 1, 2)


def test_a_deactivated_user_keeps_login_and_address_and_cannot_change() -> None:
    rows = Rows()
    outcomes, _ = decide(
        register("ada"),
        deactivate("ada"),
        deactivate("ada", 2),
        change("ada", locale="de"),
        register("eve", email="ada@example.org"),
        rows=rows,
    )
    assert outcomes == [1, 2, 2, Because.DEACTIVATED, Because.TAKEN]
    assert rows.users["ada"].status is Status.DEACTIVATED


def test_a_refusal_names_the_user() -> None:
    group = Group(Rows(), ids("event"))
    (refused,) = group.decide_all([deactivate("ada")])
    assert isinstance(refused, RefusedError)
    assert str(refused) == "there is no user ada"
