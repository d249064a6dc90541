"""Terminal output of commands: lines as they are, and progress bars."""

from rich.console import Console
from rich.progress import Progress, ProgressColumn


def print_line(console: Console, text: str) -> None:
    """Print a line as it is: without colours or markup, and however wide the terminal is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def progress(console: Console, *columns: ProgressColumn) -> Progress:
    """Return a progress bar that goes when it ends. A console that is no terminal shows nothing, not an empty line."""
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
