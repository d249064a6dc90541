"""Terminal output of the tour: texts, records as they were on the wire, mails, and checked evidence."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from services.chassis.messages.printable import printable, printable_lines
from services.chassis.messages.record import Record
from services.workbench.local.sink import Mail

WIDEST = 100  # longer lines are hard to read
NOTHING = "(nothing)"


class Screen:
    """Writes to a console. Texts from outside are printed without control characters."""

    def __init__(self, console: Console) -> None:
        self._console = console
        console.width = min(console.width, WIDEST)

    def title(self, number: int, total: int, title: str) -> None:
        """Print the heading of a stop."""
        self._console.print()
        self._console.print(Rule(f"[bold]{number} of {total}  {title}[/]", align="left", characters="━"))

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph."""
        self._indented(Text(printable_lines(text), style))

    def points(self, points: Sequence[str]) -> None:
        """Print a list of things to look at."""
        self._indented(Text("Look at", "bold cyan"))
        for point in points:
            self._hanging("[cyan]•[/]", point)

    def step(self, text: str) -> None:
        """Print one thing that was done to the system."""
        self._hanging("[bold cyan]▸[/]", text)

    def evidence(self, text: str) -> None:
        """Print a claim that was checked and holds."""
        self._hanging("[bold green]✔[/]", text)

    def wrong(self, text: str) -> None:
        """Print a problem."""
        self._console.print(Text.assemble(("WRONG ", "bold red"), printable_lines(text)), soft_wrap=True)

    def link(self, text: str, url: str) -> None:
        """Print an address on a line of its own, which is never broken."""
        self.say(text, "dim")
        self._console.print(Text(f"  {url}"), soft_wrap=True)

    def record(self, record: Record, marked: Sequence[str] = ()) -> None:
        """Print a record as it was on the wire. The key, headers and value in `marked` are highlighted."""
        parts = {"key": _text(record.key)}
        parts |= {name: _text(value) for name, value in record.headers or ()}
        parts["value"] = _text(record.value)
        place = f"topic {record.topic} · partition {record.partition} · offset {record.offset}"
        self._panel(place, parts, marked)

    def mail(self, mail: Mail) -> None:
        """Print a mail as the sink accepted it."""
        parts = {"To": ", ".join(mail.recipients), "Subject": mail.subject, "Message-ID": mail.message_id}
        self._panel("mail, as the mail server got it", parts | {"": mail.body.strip()}, ("To",))

    def table(self, table: RenderableType) -> None:
        """Print anything that rich can render."""
        self._indented(table)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Print names, each with its explanation."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="bold")
        for name, text in pairs:
            table.add_row(name, text)
        self._indented(table)

    def bar(self, text: str) -> None:
        """Print a line of a chart."""
        self._console.print(f"  {text}", style="magenta", highlight=False, no_wrap=True, overflow="crop")

    def blank(self) -> None:
        """Print an empty line."""
        self._console.print()

    def _panel(self, title: str, parts: Mapping[str, str], marked: Sequence[str]) -> None:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, style="dim")
        grid.add_column(overflow="fold")
        for name, value in parts.items():
            style = "bold magenta" if name in marked else ""
            grid.add_row(Text(name, style), Text(printable_lines(value), style))
        self._indented(Panel(grid, title=Text(title, "bold"), title_align="left", box=box.ROUNDED, border_style="dim"))

    def _hanging(self, sign: str, text: str) -> None:
        table = Table.grid(padding=(0, 1))
        table.add_column()
        table.add_column(overflow="fold")  # an address is longer than a line may be
        table.add_row(sign, Text(printable(text)))
        self._indented(table)

    def _indented(self, content: RenderableType) -> None:
        self._console.print(Padding(content, (0, 2)))


def _text(value: bytes | None) -> str:
    return NOTHING if value is None else value.decode(errors="backslashreplace")
