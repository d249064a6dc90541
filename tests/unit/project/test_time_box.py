"""The time box of CI's long tests, tried on a run of pytest of its own."""

import time

import pytest

from tests.support.time_box import NOT_REACHED, place

pytest_plugins = ["pytester"]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Two files of two tests, under the plugin of the time box."""
    test = "def test_one():\n    pass\n\ndef test_two():\n    pass\n"
    pytester.makepyfile(test_a=test, test_b=test)
    return pytester


def run(suite: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run the two files with the plugin."""
    return suite.runpytest_inprocess("-p", "tests.support.time_box", "-rs", "-v", *options)


def test_no_test_starts_after_the_end_of_the_time_box(suite: pytest.Pytester) -> None:
    result = run(suite, f"--until={time.time() - 1}")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines([f"SKIPPED*{NOT_REACHED}"])


def test_within_the_time_box_every_test_runs(suite: pytest.Pytester) -> None:
    run(suite, f"--until={time.time() + 600}").assert_outcomes(passed=4)
    run(suite).assert_outcomes(passed=4)


@pytest.mark.parametrize("text", ["commit one", "commit two", "commit three", "commit four"])
def test_a_text_decides_the_order_of_files_and_tests_of_a_file_stay_in_theirs(
    suite: pytest.Pytester, text: str
) -> None:
    result = run(suite, f"--file-order={text}")
    first, second = sorted(("test_a.py", "test_b.py"), key=lambda file: place(file, text))
    expected = [f"{file}::{test} *" for file in (first, second) for test in ("test_one", "test_two")]
    result.stdout.fnmatch_lines(expected)


def test_different_texts_begin_with_different_files() -> None:
    begins = {min(("a.py", "b.py", "c.py"), key=lambda file: place(file, str(number))) for number in range(20)}
    assert begins == {"a.py", "b.py", "c.py"}
