"""A notification store whose mails are queued, and the same mails as bytes."""

import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from sqlalchemy import update

from services.chassis.database.database import Database
from services.notification.domain import ClaimedIntent
from services.notification.mail.templates import Composer
from services.notification.store import intents
from services.notification.store.tables import intents as table
from services.workbench.bench import ours, workload
from services.workbench.bench.consumers import JOINED
from services.workbench.bench.setting import Place

MAIL_FROM = "hello@eventline.local"  # the service's usual setting
FINAL_DOT = b".\r\n"


class ComposedMail(msgspec.Struct, frozen=True):
    """A mail as a client library takes it."""

    sender: str
    recipient: str
    content: str


def fill(here: Place, mails: int) -> Path:
    """Return a store in which our consumer has queued so many mails, one for each registration."""
    path = here.folder / "queued.db"
    workload.publish(here.settings, mails)
    ours.consume("notification", here.bootstrap, f"sqlite:///{path}", mails * len(JOINED))
    return path


def composed(path: Path, mails: int) -> Sequence[ComposedMail]:
    """Return the mails of a store, as our senders compose them."""
    composer, copy = Composer(MAIL_FROM), shutil.copy(path, path.with_suffix(".read"))
    with closing(Database(f"sqlite:///{copy}")) as database, database.write() as connection:
        connection.execute(update(table).values(due_at=0))
        claims = intents.claimed(connection, intents.claim(connection, mails, 60.0), MAIL_FROM)
        return [_bytes(composer, claim) for claim in claims]


def _bytes(composer: Composer, claim: ClaimedIntent) -> ComposedMail:
    mail = composer.compose(claim)
    return ComposedMail(mail.sender, mail.recipient, mail.content.removesuffix(FINAL_DOT).decode("ascii"))
