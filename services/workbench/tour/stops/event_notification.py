"""Event notification: a notice without data, and the mail that it leads to."""

from typing import cast

import msgspec

from services.chassis.consumer.decoding import Decoder
from services.contracts.catalog import NOTIFICATION_EVENTS, USER_NOTICES
from services.contracts.notification import NotificationQueued
from services.contracts.user import UserNotice
from services.workbench.tour.scene import Scene
from services.workbench.tour.stop import Stop

NAME = "Ada Lovelace"


def _play(scene: Scene) -> None:
    user = scene.register(NAME)
    notice = scene.record(USER_NOTICES, user.correlation_id)
    scene.screen.record(notice, ("key", "ce_id", "value"))
    value = notice.value or b""
    expected = UserNotice(user.user_id, "user.registered", 1)
    scene.check(
        "The notice has the user's id and the name of the fact, and nothing else.",
        msgspec.json.decode(value, type=UserNotice) == expected and set(msgspec.json.decode(value)) == _fields(),
        value,
    )
    scene.check("Its key is the user's id.", notice.key == user.user_id.encode(), notice.key)
    mail = scene.mail(user.correlation_id)
    took = f"{mail.received_at * 1000 - notice.timestamp_ms:,.0f} ms"
    scene.screen.mail(mail)
    scene.check(
        f"{took} later there is a mail to the right address, which is not in the {len(value)} bytes of the notice.",
        mail.recipients == ["ada@example.org"] and b"@" not in value,
        (mail.recipients, value),
    )
    queued = scene.record(NOTIFICATION_EVENTS, user.correlation_id)
    (event,) = Decoder({queued.header("ce_type") or "": NotificationQueued}).decode([queued]).events
    cause = cast("NotificationQueued", event.data).notice_id
    scene.check(
        f"{queued.topic} has the notice's ce_id as the cause of the mail.", notice.header("ce_id") == cause, cause
    )
    scene.link_journey(user.correlation_id)


def _fields() -> set[str]:
    return set(UserNotice.__struct_fields__)


STOP = Stop(
    title="Event notification: something happened",
    shows="Somebody registers. The user service publishes a notice: this happened, to this user. A reader that needs "
    "more has to find it elsewhere, so nothing personal is on this topic, and its records stay small.",
    look_at=(
        "topic: user.notices.v1, split into six partitions; the record has a place (offset) in one of them",
        "key: the user's id. Records of one key are in one partition, so they stay in order",
        "headers: a CloudEvents envelope; all that one command leads to has the same ce_correlationid",
        "value: three fields, with no name and no address",
    ),
    play=_play,
)
