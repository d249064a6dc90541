"""Event-carried state transfer: whole records, and the replica that a reader keeps of them."""

import msgspec
from sqlalchemy import select

from services.contracts.catalog import USER_STATE
from services.contracts.user import UserState
from services.notification.store.tables import replica
from services.user.api_schemas import body_of
from services.workbench.polling import until
from services.workbench.tour.scene import PATIENCE_S, Scene
from services.workbench.tour.stop import Stop

MOVED_TO = "grace.hopper@example.net"


def _play(scene: Scene) -> None:
    user = scene.change(scene.register("Grace Hopper"), email=MOVED_TO)
    record = scene.record(USER_STATE, user.correlation_id)
    scene.screen.record(record, ("key", "ce_subjectversion", "value"))
    state = msgspec.json.decode(record.value or b"", type=UserState)
    own = scene.user(user.user_id)
    scene.check(
        f"The record has the whole user at version {state.version}, as the user service has it.",
        body_of(state) == own,
        (state, own),
    )
    copy = until("Grace's row", lambda: _row(scene, user.user_id), lambda row: row == state, PATIENCE_S)
    scene.check("The notification service's database has the same record: its replica.", copy == state, copy)
    mails = until("two mails", lambda: scene.mails(user.correlation_id), lambda found: len(found) == 2, PATIENCE_S)  # noqa: PLR2004
    scene.check(
        "From it the mails about the change went to the old and to the new address.",
        {address for mail in mails for address in mail.recipients} == {"grace@example.org", MOVED_TO},
        [mail.recipients for mail in mails],
    )
    scene.link_journey(user.correlation_id)


def _row(scene: Scene, user_id: str) -> UserState | None:
    with scene.store("notification") as database, database.read() as connection:
        text = connection.execute(select(replica.c.state).where(replica.c.user_id == user_id)).scalar()
    return None if text is None else msgspec.json.decode(text, type=UserState)


STOP = Stop(
    title="Event-carried state transfer: the whole record after each change",
    shows="Somebody moves to another address. With each change the user service publishes the whole record. A reader "
    "keeps the newest one of each user in its own database, and never has to ask the user service for anything.",
    look_at=(
        "topic: user.state.v1 is compacted: the newest record of each key stays, so a new reader gets every user",
        "ce_subjectversion: the highest version wins; a reader skips an older one that arrives late",
        "value: all fields, not only the one that changed",
    ),
    play=_play,
)
