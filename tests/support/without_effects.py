"""Runs a program that may not send, publish or issue anything: it ends with FORBIDDEN where it constructs what could.

`python -m tests.support.without_effects PROGRAM ARGUMENTS...`.
"""

import os
import smtplib
import sys
from typing import Any

from services.chassis.kafka.producer import Producer
from services.chassis.outbox.group_commit import GroupCommit
from services.chassis.outbox.operator_relay import OperatorRelay
from services.chassis.outbox.relay import Relay
from services.notification.mail.sender import Sender
from services.notification.mail.smtp_delivery import Mailer
from services.user.flags.bounce_handler import BounceHandler
from services.user.handlers import CommandHandler
from tests.support.killed import run

FORBIDDEN = 77
PARTS = (Producer, Relay, OperatorRelay, GroupCommit, CommandHandler, BounceHandler, Sender, Mailer, smtplib.SMTP)


def _refuse(part: object, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"a replay has constructed {type(part).__name__}\n")
    sys.stderr.flush()
    os._exit(FORBIDDEN)


if __name__ == "__main__":
    for part in PARTS:
        part.__init__ = _refuse  # type: ignore[method-assign,assignment]
    run(*sys.argv[1:])
