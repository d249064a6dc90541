"""The table of faults and poison records."""

from datetime import UTC, datetime

import pytest

from services.chassis.consumer.decoding import Decoder, UnknownShapeError
from services.chassis.messages.record import Outgoing, Record
from services.chassis.outbox.settings import OutboxSettings
from services.contracts.envelope import LARGEST_RECORD
from services.contracts.service_list import SERVICES
from services.contracts.user import UserNotice
from services.workbench.faults.poison import POISONS, records
from services.workbench.faults.table import VERBS, Fault, FaultError, all_faults, named, pick

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PARKED = {"version"}
REASONS = {
    "json": "malformed",
    "fields": "invalid",
    "key": "key_mismatch",
    "header": "envelope",
    "tombstone": "unexpected_tombstone",
    "oversized": "malformed",
}


def consumed(sent: Outgoing) -> Record:
    return Record(sent.topic, 0, 7, 1, 1000, sent.key, sent.value, sent.headers)


def test_every_kind_of_poison_record_is_covered_here() -> None:
    assert set(POISONS) == REASONS.keys() | PARKED == set(VERBS["poison"].targets)


@pytest.mark.parametrize(("kind", "reason"), REASONS.items())
def test_a_poison_record_is_refused_for_its_reason(kind: str, reason: str) -> None:
    decoder = Decoder({"user.notice": UserNotice})
    decoded = decoder.decode([consumed(sent) for sent in records(kind, NOW, ["e1", "e2"])])
    assert [refusal.reason for refusal in decoded.refused] == [reason] * 2
    assert decoded.events == []


def test_a_newer_version_is_not_refused_but_waits_for_a_newer_program_behind_one_key() -> None:
    first, second = records("version", NOW, ["e1", "e2"])
    with pytest.raises(UnknownShapeError, match=r"urn:eventline:user\.notice:99"):
        Decoder({"user.notice": UserNotice}).decode([consumed(first)])
    assert first.key == second.key


def test_an_oversized_record_is_above_the_limit_of_its_topic() -> None:
    [record] = records("oversized", NOW, ["e1"])
    assert record.size > LARGEST_RECORD


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (
            ("explode", "user"),
            f"no verb 'explode': use one of {', '.join(VERBS)}, or heal, or list",
        ),
        (("slow", "broker"), "slow has no target 'broker': use one of user, notification, audit"),
        (("poison", "arsenic"), "use one of json, fields, key, header, tombstone, oversized, version"),
    ],
    ids=["verb", "target", "kind"],
)
def test_unknown_words_are_answered_with_the_choice(given: tuple[str, str], advice: str) -> None:
    with pytest.raises(FaultError, match=advice):
        named(*given)


def test_a_seed_chooses_the_same_fault_each_time_and_all_seeds_all_faults_that_leave_nothing_behind() -> None:
    possible = all_faults()
    assert pick(possible, None, 7) == pick(possible, None, 7)
    assert {pick(possible, None, seed) for seed in range(500)} == set(possible) - {Fault("poison", "version")}
    assert {pick(possible, "slow", seed).target for seed in range(50)} == set(SERVICES)


def test_a_zombie_lasts_longer_than_its_session_and_its_lease_and_other_faults_as_long_as_asked_for() -> None:
    lease = OutboxSettings.relay_lease.total_seconds()
    assert Fault("suspend", "user").lasting(1.0) > lease
    assert Fault("suspend", "user").lasting(90.0) == 90.0
    assert Fault("pause", "user").lasting(1.0) == 1.0


def test_a_seed_chooses_only_what_the_system_can_have() -> None:
    assert pick([Fault("kill", "user")], "kill", 1) == Fault("kill", "user")
    with pytest.raises(FaultError, match="nothing to stall"):
        pick([Fault("kill", "user")], "stall", 1)
    with pytest.raises(FaultError, match="no verb 'explode'"):
        pick(possible=all_faults(), verb="explode", seed=1)
