"""Bugs of the notification service: its consumer, its held records and its mails."""

import os
import smtplib
import time
import uuid
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

import msgspec
from confluent_kafka import OFFSET_END

from services.chassis.consumer import decoding
from services.chassis.consumer.batch_processor import BATCH_ERRORS, BatchProcessor
from services.chassis.consumer.decoding import Decoder
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.letter_relay import LetterRelay
from services.chassis.consumer.idempotency import Deduplicated, Verdict
from services.chassis.consumer.retries import Retries
from services.chassis.consumer.subscription import Outcome
from services.chassis.kafka import group_consumer
from services.contracts.catalog import USER_NOTICES, USER_STATE
from services.notification import domain, handlers
from services.notification.mail_queue import MailQueue
from services.notification.settings import Settings
from services.notification.store.batch import Rows
from tests.support.bugs.replacing import PATIENCE_S, replace

BROKEN_S = 3.0  # from its start, for which a broken decoder is broken


def position_before_effect() -> None:
    """Commit the position of a batch, and its effects in another transaction a moment later."""

    def committing(_commit: object) -> Any:
        def wrong(self: Any, records: Sequence[Any]) -> Any:
            positions = self._offsets.positions_after(records)
            with self._database.write() as connection:
                self._offsets.store(connection, positions)
            self._offsets.stored(positions)
            time.sleep(PATIENCE_S)
            with self._database.write() as connection:
                outcome = self._subscription.handle(connection, records)
                self._refuse(connection, outcome.refused)
            for signal in self._subscription.commit_signals:
                signal.set()
            return outcome

        return wrong

    replace(BatchProcessor, "_commit", committing)


def no_deduplication() -> None:
    """Take every notice for a new one, and decide about it again; the constraint of the table of intents is no help."""
    decided = Rows.decided

    def adding(add: Any) -> Any:
        def wrong(self: Any, fresh: Sequence[Any], queued_at: Any) -> None:
            have = decided(self, [intent.notice.id for intent in fresh])
            add(self, [intent for intent in fresh if (intent.notice.id, intent.recipient) not in have], queued_at)

        return wrong

    replace(handlers, "deduplicate", lambda _: lambda _connection, events, _now: Deduplicated(new=list(events)))
    replace(Rows, "decided", lambda _: lambda _self, _ids: set())
    replace(Rows, "add_intents", adding)


def start_at_the_end() -> None:
    """Read partitions that have no position from their end."""
    replace(group_consumer, "OFFSET_BEGINNING", lambda _: OFFSET_END)


def batch_truncated_on_error() -> None:
    """Skip what is left of a batch whose record cannot be applied."""

    def processing(process: Any) -> Any:
        def wrong(self: Any, records: Sequence[Any]) -> None:
            try:
                self._apply(records)
            except BATCH_ERRORS:
                raise
            except Exception:  # noqa: BLE001  # that is the bug
                handle, self._subscription = self._subscription, _Applying()
                try:
                    process(self, records)
                finally:
                    self._subscription = handle

        return wrong

    replace(BatchProcessor, "process", processing)


class _Applying:
    """A subscription that applies nothing."""

    group, commit_signals = "notification", ()

    def handle(self, _connection: object, _records: object) -> Outcome:
        """Return an outcome without effects."""
        return Outcome()


def dropped_dead_letter() -> None:
    """Mark letters as published without publishing them."""

    def sending(send: Any) -> Any:
        def wrong(self: Any, letters: Sequence[Any]) -> None:
            self._producer = _Nowhere()
            send(self, letters)
            self._producer = None

        return wrong

    replace(LetterRelay, "_send", sending)


class _Nowhere:
    """A producer that acknowledges what it drops."""

    def publish(self, records: Any) -> None:
        """Drop records."""
        list(records)


def parked_key_overtaken() -> None:
    """Do not park behind a parked record of a key; the first notice of a user fails for some time."""
    replace(HeldRecords, "park_behind", lambda _: lambda _self, _connection, records, _ids: records)
    _break_decoder(USER_NOTICES.name, decoding.UnknownShapeError("broken for some time"))


def retry_applies_an_older_state() -> None:
    """Apply a state whatever was applied before; the first state of a user is refused for some time."""
    replace(handlers, "newest", lambda _: lambda _have, _incoming: Verdict.APPLY)
    _break_decoder(USER_STATE.name, decoding._RefusedError("invalid", "broken for some time"))  # noqa: SLF001


def _break_decoder(topic: str, error: Exception) -> None:
    """Raise an error for first versions on a topic, unless they are retried some time after the start."""
    is_retry, since = [False], time.monotonic()

    def decoding_event(decode: Any) -> Any:
        def wrong(self: Any, record: Any) -> Any:
            if record.topic == topic and record.header("ce_subjectversion") == "1" and not is_retry[0]:
                raise error
            return decode(self, record)

        return wrong

    def retrying(apply: Any) -> Any:
        def wrong(self: Any, rows: Any) -> None:
            is_retry[0] = time.monotonic() - since > BROKEN_S
            try:
                apply(self, rows)
            finally:
                is_retry[0] = False

        return wrong

    replace(Decoder, "_event", decoding_event)
    replace(Retries, "_apply", retrying)


def mail_before_its_intent_is_durable() -> None:
    """Send the mails of a batch within its transaction, and commit it a moment later."""

    def adding(add: Any) -> Any:
        def wrong(self: Any, fresh: Sequence[Any], queued_at: Any) -> None:
            for intent in fresh:
                if intent.recipient and not intent.reason:
                    _send(intent)
            time.sleep(PATIENCE_S)
            add(self, fresh, queued_at)

        return wrong

    replace(Rows, "add_intents", adding)


def _send(intent: Any) -> None:
    mail = EmailMessage()
    mail["Message-ID"] = domain.message_id(intent.notification_id, Settings.mail_from)
    mail["X-Correlation-ID"] = intent.notice.correlation_id
    mail["From"], mail["To"] = "planted@example.org", intent.recipient
    with smtplib.SMTP(os.environ["APP_SMTP_HOST"], int(os.environ["APP_SMTP_PORT"])) as server:
        server.send_message(mail)


def mail_without_a_stable_key() -> None:
    """Give each try of a mail a Message-ID of its own, and store outcomes a moment later."""

    def claiming(claim: Any) -> Any:
        def wrong(self: Any, *arguments: Any, **named: Any) -> Any:
            claims = claim(self, *arguments, **named)
            return [msgspec.structs.replace(one, message_id=f"<{uuid.uuid4()}@example.org>") for one in claims]

        return wrong

    def settling(settle: Any) -> Any:
        def wrong(self: Any, *arguments: Any) -> None:
            time.sleep(PATIENCE_S)
            settle(self, *arguments)

        return wrong

    replace(MailQueue, "claim", claiming)
    replace(MailQueue, "settle", settling)
