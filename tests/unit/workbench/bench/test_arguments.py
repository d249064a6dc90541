"""Checks that wrong arguments of the bench are refused before anything is measured."""

import sys

import pytest

from services.workbench.bench.__main__ import main


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["z"], "no such part: z; there are a, b, c"),
        (["g", "--before", "nonsense"], "git has no revision 'nonsense' of this folder"),
        (["--before", "--output=x"], "expected one argument"),
        (["g", "--before=--output=x"], "git has no revision '--output=x'"),
    ],
    ids=["part", "revision", "option", "option as revision"],
)
def test_a_wrong_argument_is_named(
    argv: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *argv])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
