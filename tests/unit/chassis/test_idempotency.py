"""The idempotency rules, case by case."""

import pytest

from services.chassis.consumer.idempotency import Applied, Verdict, contiguous, newest, once

HAVE = Applied(3, "id-3", b"digest-3")


@pytest.mark.parametrize(
    ("incoming", "verdict"),
    [
        (Applied(4, "id-4", b"digest-4"), Verdict.APPLY),
        (Applied(9, "id-9", b"digest-9"), Verdict.APPLY),
        (Applied(2, "id-2", b"digest-2"), Verdict.REPEAT),
        (HAVE, Verdict.REPEAT),
        (Applied(3, "id-x", b"digest-3"), Verdict.CONFLICT),
        (Applied(3, "id-3", b"digest-x"), Verdict.CONFLICT),
    ],
)
def test_newest_applies_the_higher_version_and_finds_conflicts(incoming: Applied, verdict: Verdict) -> None:
    assert newest(HAVE, incoming) is verdict


@pytest.mark.parametrize(
    ("incoming", "verdict"),
    [
        (HAVE, Verdict.REPEAT),
        (Applied(4, "id-3", b"digest-3"), Verdict.CONFLICT),
        (Applied(3, "id-4", b"digest-3"), Verdict.CONFLICT),
        (Applied(3, "id-3", b"digest-x"), Verdict.CONFLICT),
    ],
)
def test_once_recognises_only_an_equal_event_as_a_repeat(incoming: Applied, verdict: Verdict) -> None:
    assert once(HAVE, incoming) is verdict


def test_a_first_event_is_applied_at_any_version() -> None:
    assert newest(None, HAVE) is Verdict.APPLY
    assert once(None, HAVE) is Verdict.APPLY


@pytest.mark.parametrize(
    ("have", "incoming", "verdict"),
    [
        (None, Applied(1, "id-1", b"digest-1"), Verdict.APPLY),
        (None, Applied(2, "id-2", b"digest-2"), Verdict.GAP),
        (HAVE, Applied(4, "id-4", b"digest-4"), Verdict.APPLY),
        (HAVE, Applied(5, "id-5", b"digest-5"), Verdict.GAP),
        (HAVE, Applied(2, "id-2", b"digest-2"), Verdict.REPEAT),
        (HAVE, HAVE, Verdict.REPEAT),
        (HAVE, Applied(3, "id-x", b"digest-3"), Verdict.CONFLICT),
    ],
)
def test_contiguous_applies_only_the_next_version_and_finds_gaps(
    have: Applied | None, incoming: Applied, verdict: Verdict
) -> None:
    assert contiguous(have, incoming) is verdict
