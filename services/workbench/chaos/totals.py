"""The totals of a campaign: losses, inventions, inversions and repeats, the mails' against their bound."""

from collections.abc import Sequence

import msgspec

from services.notification.settings import Settings
from services.workbench.chaos.campaign import Broken
from services.workbench.faults.table import DATABASE, MAIL
from services.workbench.reconcile.checks import Checked
from services.workbench.reconcile.evidence import Mail

GROUPS = {
    "lost": ("lost write", "internal send skip", "poll skip", "unseen", "lost letter"),
    "invented": ("aborted read",),
    "out of order": ("nonmonotonic read", "nonmonotonic send", "nonmonotonic poll", "stale state"),
    "repeated effects": ("duplicate", "conflict"),
    "other differences": ("inconsistent offsets", "wrong projection"),
}
SEND_WINDOW = Settings.sender_threads * Settings.sender_claim  # mails in hand: sent and not recorded at worst
MAY_REPEAT_MAILS = ("notification", DATABASE, MAIL)  # a fault of it may come between sending and recording


class MailRepeats(msgspec.Struct, frozen=True):
    """Mails that came again with their Message-ID, and how many the faults explain."""

    found: int
    bound: int

    @property
    def is_explained(self) -> bool:
        """Return whether there are no more than the bound."""
        return self.found <= self.bound


def by_group(outcome: Sequence[Checked]) -> dict[str, int]:
    """Return the number of findings of each group; a check that was not made has none."""
    found = {one.check.name: len(one.findings or ()) for one in outcome}
    return {group: sum(found.get(name, 0) for name in names) for group, names in GROUPS.items()}


def mail_repeats(mails: Sequence[Mail], faults: Sequence[Broken]) -> MailRepeats:
    """Return how many mails are repeats, and as many as the faults explain: what a sender had claimed, for each."""
    number = sum(fault.name.split()[-1] in MAY_REPEAT_MAILS for fault in faults)
    return MailRepeats(repeated(mails), number * SEND_WINDOW)


def repeated(mails: Sequence[Mail]) -> int:
    """Return how many mails came again with their Message-ID."""
    return len(mails) - len({mail.message_id for mail in mails})
