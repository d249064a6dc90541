"""Policies: read with the line of each fault, and fulfilled by the log and the quorum only."""

import pytest

from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.note import BadSignatureError, MalformedNoteError, Note, NoteError, UnknownKeyError
from services.chassis.transparency.policy import Policy, QuorumError

LOG, OTHER = (Signer("log.example", bytes([number]) * 32) for number in (1, 2))
FIRST, SECOND, THIRD = (Signer(f"w{number}.example", bytes([number]) * 32) for number in (1, 2, 3))
CHECKPOINT = Checkpoint("log.example", 7, b"\x07" * 32)
WITNESSES = "".join(
    f"witness w{number} {each.cosignature_vkey} http://w{number}\n"
    for number, each in enumerate((FIRST, SECOND, THIRD), 1)
)


def a_policy(*lines: str) -> Policy:
    return Policy.parse("\n".join([f"log {LOG.vkey}", WITNESSES, *lines]))


def a_note(*cosigners: Signer, signer: Signer = LOG, checkpoint: Checkpoint = CHECKPOINT) -> bytes:
    text = checkpoint.text()
    cosignatures = [each.cosign(text, 1000 + each.seed[0]) for each in cosigners]
    return bytes(Note.parse(keys.signed(text, [signer])).with_lines(cosignatures))


def test_without_a_quorum_the_log_s_signature_is_enough() -> None:
    checked = Policy.parse(f"# a comment\nlog {LOG.vkey} https://log.example # the log\n\nquorum none\n").check(
        a_note()
    )
    assert (checked.checkpoint, checked.cosigned_by, checked.newest) == (CHECKPOINT, (), None)


def test_a_quorum_reports_who_cosigned_and_when() -> None:
    checked = a_policy("group g 2 w1 w2 w3", "quorum g").check(a_note(FIRST, THIRD))
    assert (checked.cosigned_by, checked.oldest, checked.newest) == (("w1", "w3"), 1001, 1003)


@pytest.mark.parametrize(
    ("lines", "enough", "too_few"),
    [
        (("quorum w1",), (FIRST,), (SECOND, THIRD)),
        (("group g any w1 w2", "quorum g"), (SECOND,), (THIRD,)),
        (("group g all w1 w2", "quorum g"), (FIRST, SECOND), (FIRST, THIRD)),
        (("group a any w1 w2", "group g all a w3", "quorum g"), (SECOND, THIRD), (FIRST, SECOND)),
    ],
)
def test_a_quorum_is_reached_or_not(lines: tuple[str, ...], enough: tuple[Signer], too_few: tuple[Signer]) -> None:
    policy = a_policy(*lines)
    policy.check(a_note(*enough))
    with pytest.raises(QuorumError, match="not reached"):
        policy.check(a_note(*too_few))


def test_a_log_that_is_not_in_the_policy_is_refused() -> None:
    policy = a_policy("quorum none")
    with pytest.raises(UnknownKeyError):
        policy.check(a_note(signer=OTHER))
    with pytest.raises(UnknownKeyError, match="other"):
        policy.check(a_note(checkpoint=Checkpoint("other.example", 7, b"\x07" * 32)))


def test_either_key_of_a_rotated_log_is_enough() -> None:
    policy = Policy.parse(f"log {LOG.vkey}\nlog {OTHER.vkey}\nquorum none")
    assert policy.check(a_note(signer=OTHER)) == policy.check(a_note(signer=LOG))


def test_a_wrong_cosignature_of_a_known_witness_is_refused_even_without_a_quorum() -> None:
    later = Checkpoint("log.example", 8, b"\x08" * 32).text()
    note = Note.parse(a_note()).with_lines([FIRST.cosign(later, 1)])
    with pytest.raises(BadSignatureError):
        a_policy("quorum none").check(bytes(note))


def test_a_note_that_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(MalformedNoteError, match="not a checkpoint"):
        a_policy("quorum none").check(keys.signed("log.example\n", [LOG]))
    with pytest.raises(NoteError):
        a_policy("quorum none").check(b"")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("quorum none", "at least one log"),
        (f"log {LOG.vkey}", "one quorum"),
        (f"log {LOG.vkey}\nquorum w9", "line 2.*'w9'"),
        (f"log {LOG.vkey}\nquorum none\nquorum none", "line 3"),
        (f"log {LOG.cosignature_vkey}\nquorum none", "algorithm 4"),
        (f"log {LOG.vkey}\nwitness w {FIRST.vkey}\nquorum w", "line 2.*algorithm 1"),
        (f"log {LOG.vkey}\n{WITNESSES}group g 4 w1 w2\nquorum g", "line 5.*from 1 to 2"),
        (f"log {LOG.vkey}\n{WITNESSES}group g 0 w1 w2\nquorum g", "from 1 to 2"),
        (f"log {LOG.vkey}\n{WITNESSES}group g any\nquorum g", "line 5"),
        (f"log {LOG.vkey}\n{WITNESSES}group g 2 w1 w1\nquorum g", "twice"),
        (f"log {LOG.vkey}\n{WITNESSES}group w1 any w2\nquorum w1", "used already"),
        (f"log {LOG.vkey}\n{WITNESSES}group none any w2\nquorum none", "used already"),
        (f"log {LOG.text}\nquorum none", "secret key"),
        ("log", "line 1"),
    ],
)
def test_a_fault_of_a_policy_is_named(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Policy.parse(text)


def test_the_urls_of_a_policy_are_kept() -> None:
    policy = a_policy("quorum none")
    assert [witness.url for witness in policy.witnesses.values()] == ["http://w1", "http://w2", "http://w3"]
    assert [log.url for log in policy.logs] == [None]
