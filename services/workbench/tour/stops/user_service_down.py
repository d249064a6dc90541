"""A mail sent while the user service is down: the notification service needs nothing but topics and its replica."""

import time

from services.contracts.catalog import USER_NOTICES
from services.workbench.local.ports import HOST
from services.workbench.local.processes import answers
from services.workbench.tour.scene import Scene
from services.workbench.tour.stop import Stop


def _play(scene: Scene) -> None:
    scene.stop("notification")
    user = scene.register("Katherine Johnson")
    notice = scene.record(USER_NOTICES, user.correlation_id)
    scene.check(
        f"The notice is on Kafka ({notice.place}), and no mail has been sent: its reader is down.",
        not (mails := scene.mails(user.correlation_id)),
        mails,
    )
    scene.stop("user")
    down = time.time()
    scene.check("The user service does not answer any more.", _refused(scene), f"{scene.url('user')} answers")
    scene.start("notification")
    mail = scene.mail(user.correlation_id)
    scene.screen.mail(mail)
    scene.check(
        f"{mail.received_at - down:.1f} s after the stop of the user service Katherine has her mail; it is still down.",
        mail.recipients == ["katherine@example.org"] and mail.received_at > down and _refused(scene),
        (mail.recipients, scene.system.running),
    )
    scene.start("user")
    scene.link_journey(user.correlation_id)


def _refused(scene: Scene) -> bool:
    return answers(HOST, scene.settings.port("user")) is not None


STOP = Stop(
    title="A mail sent while the user service is down",
    shows="The notification service is stopped, somebody registers, and the user service is stopped as well. Then the "
    "notification service starts alone. It reads what it has missed from Kafka, and sends the mail: it needs no answer "
    "from the user service, because the records of state have the address.",
    look_at=(
        "the order: register, stop the user service, start the notification service, mail",
        "To: an address that only the stopped user service could be asked for, if services called each other",
    ),
    play=_play,
)
