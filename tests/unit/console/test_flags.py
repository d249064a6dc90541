"""Options as a struct."""

from typing import Annotated

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from services.console.flags import flags


class Options(msgspec.Struct, frozen=True):
    rate: Annotated[float, typer.Option(min=1)] = 5.0
    where: Annotated[list[str], typer.Option(help="Repeatable.")] = []
    max_rate: Annotated[bool, typer.Option("--max-rate")] = False


@pytest.mark.parametrize(
    ("argv", "given"),
    [
        ([], Options()),
        (["--rate", "2", "--where", "a", "--where", "b", "--max-rate"], Options(2.0, ["a", "b"], max_rate=True)),
    ],
)
def test_a_command_is_given_the_struct_with_what_was_typed(argv: list[str], given: Options) -> None:
    heard: list[Options] = []
    app = typer.Typer()
    app.command()(flags(Options, heard.append))
    result = CliRunner().invoke(app, argv)
    assert (result.exit_code, heard) == (0, [given]), result.output


def test_what_the_annotation_forbids_is_refused() -> None:
    app = typer.Typer()
    app.command()(flags(Options, lambda _: None))
    assert CliRunner().invoke(app, ["--rate", "0"]).exit_code == 2
