"""`make mails`: the newest mails of `make run`, as its sink got them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from services.chassis.messages.printable import printable
from services.contracts.envelope import to_text
from services.workbench.local.sink import Mail

INDENT = "    "


def newest(path: Path, number: int) -> Iterator[str]:
    """Return a block of lines for each of the newest mails, the oldest first. Raises FileNotFoundError."""
    if not path.exists():
        raise FileNotFoundError(f"no mails in {path}: start the system with `make run` and register a user")
    for line in path.read_bytes().splitlines()[-number:]:
        mail = msgspec.json.decode(line, type=Mail)
        received = to_text(datetime.fromtimestamp(mail.received_at, UTC))
        yield f"{received}  to {printable(', '.join(mail.recipients))}: {printable(mail.subject)}"
        yield f"{INDENT}Message-ID {printable(mail.message_id)}, correlation id {printable(mail.correlation_id)}"
        yield from (f"{INDENT}{printable(text)}" for text in mail.body.strip().splitlines())
