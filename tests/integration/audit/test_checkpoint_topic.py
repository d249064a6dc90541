"""Checkpoints on a real broker: published with key and media type, and found again near the end of the topic."""

from functools import partial
from pathlib import Path

from services.audit.notary import sources
from services.audit.notary.publication import Publication
from services.chassis.kafka.latest_published import TopicEnd
from services.chassis.kafka.producer import Producer
from services.chassis.messages.record import partitions_of
from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from services.contracts.catalog import AUDIT_CHECKPOINTS
from tests.support.broker import settings, write

NAME = AUDIT_CHECKPOINTS.name


def a_note(origin: str, size: int) -> bytes:
    return keys.signed(Checkpoint(origin, size, bytes(32)).text(), [Signer(origin, bytes(32))])


def test_the_largest_checkpoint_of_a_log_is_found_whatever_else_is_on_the_topic(broker: str, tmp_path: Path) -> None:
    end = TopicEnd(settings(broker), NAME)
    origin = "example.org/largest"
    assert sources.topic_records(end, origin) == []
    publication = Publication(origin, partial(Producer, settings(broker), "test"), tmp_path / "checkpoint")
    for size in (1, 7, 5):  # two replicas may publish in another order than that of their sizes
        publication.publish(size, a_note(origin, size))
    publication.close()
    write(broker, NAME, b"no note", None, a_note("example.org/other", 9))
    (found,) = sources.topic_records(end, origin)
    assert (found.checkpoint.size, found.place.startswith(f"{NAME}[0]@")) == (7, True)
    assert (tmp_path / "checkpoint").read_bytes() == a_note(origin, 7)
    write(broker, NAME, *[b"no note"] * 150)
    assert sources.topic_records(end, origin) == [found]


def test_a_published_checkpoint_has_the_origin_as_its_key_and_a_media_type(broker: str) -> None:
    origin = "example.org/published"
    publication = Publication(origin, partial(Producer, settings(broker), "test"), None)
    publication.publish(3, a_note(origin, 3))
    publication.close()
    (record,) = TopicEnd(settings(broker), NAME).read(partitions_of(NAME, 1), 1)
    assert (record.key, record.value) == (origin.encode(), a_note(origin, 3))
    assert record.headers == [("content-type", b"text/plain; charset=utf-8")]
