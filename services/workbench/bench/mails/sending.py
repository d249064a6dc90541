"""(h): our senders, from a durable queue to stored outcomes and events, against client libraries that only send."""

import shutil
import smtplib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from services.workbench.bench import ours
from services.workbench.bench.competitors import HOME, LOCK, measured
from services.workbench.bench.environment import environment
from services.workbench.bench.mails.filled import ComposedMail, composed, fill
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import Place, Sizes, place
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.system import MAILS, System, sink

SHARE = 4  # of the registrations: a mail takes longer than a record
READY_S = 30.0
LIBRARY = "with_aiosmtplib"
T = TypeVar("T")


class LostMailError(Exception):
    """The sink has another number of mails than were sent."""


class Post(msgspec.Struct, frozen=True):
    """The mails, as a store with their queue, as bytes and as a file of the bytes; and the sink that takes them."""

    store: Path
    mails: Sequence[ComposedMail]
    file: Path
    port: int
    accepted: Path


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, its mails queued and composed and the sink running."""
    python = environment(HOME, LOCK, "the compared libraries")
    with place(sizes) as here, _post(here, sizes.users // SHARE) as post:
        yield Part("h", "mails/s", 3, lambda say: _round(here, post, python, say))


@contextmanager
def _post(here: Place, mails: int) -> Iterator[Post]:
    store, port, file = fill(here, mails), free_ports(1)[0], here.folder / "mails.json"
    content = composed(store, mails)
    file.write_bytes(msgspec.json.encode(content))
    with System([sink(port, here.folder)]) as system:
        system.start("sink")
        system.wait_ready(READY_S, "sink")
        yield Post(store, content, file, port, here.folder / MAILS)
        system.stop("sink")


def _round(here: Place, post: Post, python: Path, say: Say) -> Iterator[Pair]:
    say("bare loop over smtplib")
    bare = _all_sent(post, lambda: _bare(post))
    say("aiosmtplib")
    library = _all_sent(post, lambda: measured(python, LIBRARY, str(post.port), str(post.file)))
    say("our senders")
    copy = shutil.copy(post.store, post.store.with_suffix(".round"))
    own = _all_sent(post, lambda: ours.send(here.bootstrap, f"sqlite:///{copy}", post.port, len(post.mails)))
    case = f"senders, {len(post.mails):,} mails"
    yield Pair(case, "bare loop over smtplib", bare, own)
    yield Pair(case, library.library, library.rate, own)


def _bare(post: Post) -> float:
    started = time.perf_counter()
    with smtplib.SMTP(HOST, post.port) as client:
        for mail in post.mails:
            client.sendmail(mail.sender, [mail.recipient], mail.content)
    return len(post.mails) / (time.perf_counter() - started)


def _all_sent(post: Post, send: Callable[[], T]) -> T:
    """Return what `send` returns. Raises LostMailError unless the sink has taken each mail once."""
    before = _accepted(post)
    result = send()
    if (number := _accepted(post) - before) != len(post.mails):
        raise LostMailError(f"the sink has {number:,} mails instead of {len(post.mails):,}")
    return result


def _accepted(post: Post) -> int:
    return post.accepted.read_bytes().count(b"\n") if post.accepted.exists() else 0
