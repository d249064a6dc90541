"""The verdict of the soak `growth` on sizes over time and on the durations of deletions."""

import math

from services.workbench.soak.growth import FORGETFUL, Course, Seen

LEVEL = Course(rows=[0, 50, 100, 100, 101, 99], size=[4096, 8192, 8192, 8192, 8192, 8192])
GROWS = Course(rows=[0, 50, 100, 150, 200, 250], size=[4096, 8192, 8192, 8192, 8192, 8192])
BUCKETS = {0.05: 7.0, math.inf: 7.0}
NAMES = [f"{service}.{name}" for service, names in FORGETFUL.items() for name in names]


def test_tables_that_level_off_and_short_deletions_are_right() -> None:
    assert Seen(1, dict.fromkeys(NAMES, LEVEL), BUCKETS).problems() == []


def test_a_table_that_grows_is_named_with_its_sizes() -> None:
    courses = dict.fromkeys(NAMES, LEVEL) | {"user.replies": GROWS}
    found = Seen(1, courses, BUCKETS).problems()
    assert found == ["user.replies grows:     150 ->     250 rows,      8 ->      8 KiB"]


def test_a_deletion_that_takes_longer_than_the_promise_is_counted() -> None:
    found = Seen(1, dict.fromkeys(NAMES, LEVEL), BUCKETS | {math.inf: 9.0}).problems()
    assert found == ["2 deletions took longer than 50 ms"]
