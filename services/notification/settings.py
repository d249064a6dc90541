"""What the notification service is told; see `chassis.settings` for what every service is told."""

from datetime import timedelta

from services.chassis import settings
from services.chassis.settings import Natural, Port, Text
from services.notification.domain import ANSWERS_PER_MAIL, CLAIM_S


class Settings(settings.Settings, frozen=True, kw_only=True):
    """Where mail goes and how patiently. `replica_wait` is how long a notice may be ahead before it is alarmed."""

    smtp_host: Text
    smtp_port: Port = 25
    smtp_timeout: timedelta = timedelta(seconds=10)
    mail_from: Text = "no-reply@eventline.local"
    sender_threads: Natural = 2
    sender_claim: Natural = 10
    sender_claim_time: timedelta = timedelta(seconds=CLAIM_S)
    replica_wait: timedelta = timedelta(seconds=60)

    def problems(self) -> list[str]:
        """Return what contradicts what, a line each."""
        problems = super().problems()
        if self.smtp_timeout * ANSWERS_PER_MAIL >= self.sender_claim_time:
            both = f"APP_SMTP_TIMEOUT ({self.smtp_timeout}), APP_SENDER_CLAIM_TIME ({self.sender_claim_time})"
            problems.append(
                f"{both}: a mail takes up to {ANSWERS_PER_MAIL} answers and must end within its claim, "
                f"so the first must be below a {ANSWERS_PER_MAIL}th of the second"
            )
        if "@" not in self.mail_from:
            problems.append(f"APP_MAIL_FROM={self.mail_from!r} is not an address: write name@domain")
        return problems
