"""The demo's progress where there is no terminal."""

import io

from rich.console import Console

from services.workbench.demo.display import LINE_EVERY_SECONDS, Display


def test_without_a_terminal_a_plain_line_is_printed_now_and_then() -> None:
    now = [100.0]
    text = io.StringIO()
    with Display(Console(file=text, get_time=lambda: now[0])) as display:
        for done in range(4):
            display.update({"mails": (done, 3)})
            now[0] += LINE_EVERY_SECONDS / 2
    assert text.getvalue().splitlines() == ["  mails 2/3"]
