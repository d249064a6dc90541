"""Settings of the notification service: the mail server, the senders and the wait for states."""

import ssl
from datetime import timedelta
from typing import Annotated

import msgspec

from services.chassis.consumer.settings import STALLED_AFTER, HeldRecordSettings
from services.chassis.outbox.settings import OutboxSettings
from services.chassis.process.settings import ServiceSettings
from services.chassis.settings.environment import Age, Natural, Port, Text, settings, too_short
from services.notification.domain import CLAIM_S, WAITS_PER_MAIL, is_mailbox


@settings
class Settings(ServiceSettings, OutboxSettings, HeldRecordSettings):
    """Mail server, senders and consumer. A notice that waits longer than `replica_wait` for its state is an error.

    `smtp_tls` is `off`, `starttls` (and never on without it) or `tls` from the first byte on; `smtp_ca_file` holds the
    certificates to trust in PEM, else the machine's own are trusted. Answers to mails go to `mail_from`.
    Each of the `sender_threads` has a connection; at most half of these, or one, serve the same recipient domain.
    More than `refusal_ceiling` bounces a minute, or mails refused in a row, in one process are deferred.
    Finished mails are kept for `keep_mails`, and a user's former addresses for `keep_addresses`.
    """

    smtp_host: Text
    smtp_port: Port = 25
    smtp_timeout: timedelta = timedelta(seconds=10)
    smtp_tls: Annotated[str, msgspec.Meta(pattern="^(off|starttls|tls)\\Z")] = "off"
    smtp_ca_file: Text = ""
    smtp_user: Text = ""
    smtp_password: Text = ""
    mail_from: Text = "hello@eventline.local"
    sender_threads: Natural = 4
    sender_claim: Natural = 20
    sender_claim_time: timedelta = timedelta(seconds=CLAIM_S)
    refusal_ceiling: Natural = 5
    replica_wait: timedelta = timedelta(seconds=60)
    keep_mails: Age = timedelta(days=45)
    keep_addresses: Age = timedelta(days=45)

    def problems(self) -> list[str]:
        """Return the contradictions, a line each."""
        problems = [*super().problems(), *self._login_problems(), *self._trust_problems()]
        again = "a notice that is read again after a restore could be mailed twice"
        problems += too_short({"APP_KEEP_MAILS": self.keep_mails, "APP_RECORDS_RETURN": self.records_return}, again)
        late = "a notice that is read again could miss the address of its time"
        problems += too_short(
            {"APP_KEEP_ADDRESSES": self.keep_addresses, "APP_RECORDS_RETURN": self.records_return}, late
        )
        if self.smtp_timeout * WAITS_PER_MAIL >= min(self.sender_claim_time, STALLED_AFTER):
            both = f"APP_SMTP_TIMEOUT ({self.smtp_timeout}), APP_SENDER_CLAIM_TIME ({self.sender_claim_time})"
            problems.append(
                f"{both}: a mail waits up to {WAITS_PER_MAIL} times and must end within its claim, "
                f"so the first must be below a {WAITS_PER_MAIL}th of the second, and of {STALLED_AFTER}: "
                "a sender that waits longer for one mail would be restarted as stalled"
            )
        if not is_mailbox(self.mail_from):
            problems.append(f"APP_MAIL_FROM={self.mail_from!r} is not an address: write name@domain")
        return problems

    def trust(self) -> ssl.SSLContext | None:
        """Return the trusted authorities, None without TLS. Raises OSError for a file without certificates."""
        return None if self.smtp_tls == "off" else ssl.create_default_context(cafile=self.smtp_ca_file or None)

    def _login_problems(self) -> list[str]:
        problems = []
        if bool(self.smtp_user) != bool(self.smtp_password):
            problems.append("APP_SMTP_USER and APP_SMTP_PASSWORD belong together: give both or neither")
        if self.smtp_password and self.smtp_tls == "off":
            advice = "write APP_SMTP_TLS=starttls or APP_SMTP_TLS=tls"
            problems.append(f"APP_SMTP_PASSWORD would travel in the clear with APP_SMTP_TLS=off: {advice}")
        if not (self.smtp_user + self.smtp_password).isascii():
            problems.append("APP_SMTP_USER and APP_SMTP_PASSWORD can have ASCII characters only")
        return problems

    def _trust_problems(self) -> list[str]:
        if self.smtp_ca_file and self.smtp_tls == "off":
            return ["APP_SMTP_CA_FILE has no meaning with APP_SMTP_TLS=off: remove it, or turn TLS on"]
        try:
            self.trust()
        except OSError as error:
            return [f"APP_SMTP_CA_FILE={self.smtp_ca_file!r}: {error}: name a file of certificates in PEM"]
        return []


@settings
class RestoreSettings(Settings):
    """Settings of `restore` and `rebuild`: the same, but it needs no mail server."""

    smtp_host: str = ""


@settings
class StoreSettings(RestoreSettings):
    """Settings of `migrate`: the same, but it needs neither broker nor mail server."""

    kafka_bootstrap_servers: str = ""
