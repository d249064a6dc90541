"""Checks the expected effects of a load, from the final versions."""

from collections.abc import Collection, Mapping

from services.workbench.demo.campaign import Step
from services.workbench.demo.driver import Accepted
from services.workbench.load.effects import settled


def an_accepted(name: str, version: int, kind: str, body: Mapping[str, object] | None = None) -> Accepted:
    return Accepted(
        correlation_id=name,
        user_id="u",
        step=Step(kind=kind, method="PATCH", body=body),
        before=version - 1,
        version=version,
        started_at=0.0,
        seconds=0.1,
        attempts=1,
    )


def a_registration(*, opted_in: bool = True) -> Accepted:
    return an_accepted("r", 1, "register", {"email": "1@x", "preferences": {"email": opted_in}})


def messages(accepted: list[Accepted], queued: Collection[str] = ()) -> dict[str, tuple[tuple[str, ...], int]]:
    return {c.correlation_id: (c.step.mailed, c.step.suppressed) for c in settled(accepted, queued)}


def test_a_change_of_address_tells_the_address_of_the_version_before_however_the_answers_came() -> None:
    moves = [an_accepted("b", 3, "move", {"email": "3@x"}), an_accepted("a", 2, "move", {"email": "2@x"})]
    assert messages([*moves, a_registration()]) == {
        "r": (("1@x",), 0),
        "a": (("1@x", "2@x"), 0),
        "b": (("2@x", "3@x"), 0),
    }


def test_who_never_wanted_mail_gets_none() -> None:
    move = an_accepted("a", 2, "move", {"email": "2@x"})
    assert messages([a_registration(opted_in=False), move]) == {"r": ((), 1), "a": ((), 2)}


def test_of_who_changes_preferences_the_log_reports_which_way_each_decision_went() -> None:
    commands = [
        a_registration(),
        an_accepted("p", 2, "prefer", {"preferences": {"email": False}}),
        an_accepted("a", 3, "move", {"email": "2@x"}),
        an_accepted("b", 4, "move", {"email": "3@x"}),
    ]
    assert messages(commands, {"a"}) == {"r": ((), 1), "p": ((), 0), "a": (("1@x", "2@x"), 0), "b": ((), 2)}


def test_who_leaves_is_notified_at_the_last_address() -> None:
    commands = [a_registration(), an_accepted("a", 2, "move", {"email": "2@x"}), an_accepted("l", 3, "leave")]
    assert messages(commands)["l"] == (("2@x",), 0)
