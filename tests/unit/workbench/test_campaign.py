"""Checks the commands of the demo's users."""

from collections import Counter

from services.workbench.demo.campaign import Plan, Step, campaign


def steps(plans: list[Plan]) -> list[Step]:
    return [step for plan in plans for wave in plan.waves for step in wave]


def test_the_same_seed_gives_the_same_campaign_and_another_seed_another() -> None:
    assert campaign(50, seed=1) == campaign(50, seed=1)
    assert campaign(50, seed=1) != campaign(50, seed=2)


def test_more_users_do_not_change_what_the_first_ones_do() -> None:
    assert campaign(100, seed=1)[:10] == campaign(10, seed=1)


def test_every_kind_of_command_occurs() -> None:
    actions = Counter(step.kind for step in steps(campaign(1000, seed=1)))
    assert set(actions) == {"register", "move", "rename", "prefer", "leave"}
    assert actions["register"] == 1000


def test_messages_are_both_sent_and_suppressed() -> None:
    done = steps(campaign(1000, seed=1))
    assert sum(len(step.mailed) for step in done) > 0
    assert sum(step.suppressed for step in done) > 0
    assert not any(step.mailed and step.suppressed for step in done)


def test_preferences_change_only_when_earlier_messages_are_settled() -> None:
    """A change of preferences opens the second wave, so it cannot race a message of the first."""
    for plan in campaign(1000, seed=1):
        first, second = ([step.kind for step in wave] for wave in plan.waves)
        assert "prefer" not in first
        assert "prefer" not in second[1:]


def test_a_moved_user_is_notified_at_the_old_and_the_new_address() -> None:
    for plan in campaign(1000, seed=1):
        address = ""
        for step in steps([plan]):
            body = step.body or {}
            if step.kind == "move" and step.mailed:
                assert step.mailed == (address, body["email"])
            address = str(body.get("email", address))


def test_who_leaves_gets_goodbye_at_the_last_address_or_the_mail_is_suppressed() -> None:
    left = [steps([plan]) for plan in campaign(1000, seed=1) if steps([plan])[-1].kind == "leave"]
    assert {(len(done[-1].mailed), done[-1].suppressed) for done in left} == {(1, 0), (0, 1)}
    for done in left:
        addresses = [str(step.body["email"]) for step in done if step.body and "email" in step.body]
        assert set(done[-1].mailed) <= set(addresses[-1:])
