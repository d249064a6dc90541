"""The demo's last words."""

import io

import msgspec
from rich.console import Console

from services.workbench.demo.counting import Line
from services.workbench.demo.report import Result, print_result
from services.workbench.usage import MIB, Usage


def a_line(*, missing: int = 0, repeated: int = 0) -> Line:
    return Line(
        kind="inbox",
        place="mails",
        expected=5,
        arrived=5 - missing,
        missing=missing,
        repeated=repeated,
        unexpected=0,
    )


A_RESULT = Result(
    users=4,
    commands=6,
    sent_again=1,
    driving_seconds=2.0,
    total_seconds=9.5,
    lines=[a_line()],
    durations={"its answer": [0.01, 0.02], "its first mail in the inbox": []},
    used={"user": Usage(resident=90 * MIB, peak=95 * MIB, cpu_seconds=1.0)},
    problems=[],
)


def printed(result: Result) -> str:
    text = io.StringIO()
    print_result(Console(file=text, width=120), result)
    return text.getvalue()


def test_a_right_result_ends_with_the_words_that_report_so() -> None:
    lines = printed(A_RESULT).splitlines()
    assert lines[-1] == "Nothing missing, nothing repeated."
    assert "6 commands accepted in 2.0 s, 3 a second, 1 sent again; the whole demo took 9.5 s." in lines[-2]


def test_a_wrong_result_ends_with_what_is_wrong() -> None:
    result = msgspec.structs.replace(
        A_RESULT,
        lines=[a_line(missing=2, repeated=1)],
        problems=["audit ended with exit code 1 instead of 0"],
    )
    assert result.wrong() == [
        "inbox, mails: 2 missing, 1 repeated",
        "audit ended with exit code 1 instead of 0",
    ]
    assert "Nothing missing" not in printed(result)


def test_a_duration_without_measurements_is_a_dash() -> None:
    assert "-" in next(line for line in printed(A_RESULT).splitlines() if "first mail" in line)


def test_the_memory_of_each_service_is_reported() -> None:
    assert "Resident memory at the end: user 90 MiB." in printed(A_RESULT)
