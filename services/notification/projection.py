"""The projection `replica`: the newest state of each user, folded from `user.state.v1`.

The histories of addresses stay as they are: the topic is compacted and has no former address.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Table

from services.chassis.consumer.decoding import Decoder
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.projection import replica_source
from services.chassis.projection.description import Projection, Source
from services.contracts.catalog import USER_STATE
from services.notification.handlers import Fold
from services.notification.store.batch import STATE, ReplicaRows, replica_table
from services.notification.store.tables import replica


def projection(settings: KafkaSettings, decoder: Decoder) -> Projection:
    """Return the description."""
    return Projection(
        name=replica.name,
        log=USER_STATE.name,
        tables=(replica,),
        open_source=partial(_opened, settings, decoder),
        shown={replica.name: ("user_id", "version")},
        decoded={"state": STATE.decode},
        carried=lambda live: live.c.state.is_(None),  # the compaction removes tombstones
    )


def fold(decoder: Decoder, into: Table) -> Fold:
    """Return the handler that folds states into a replica's table."""
    return Fold(decoder, partial(ReplicaRows, into=replica_table(into)))


@contextmanager
def _opened(settings: KafkaSettings, decoder: Decoder, into: Sequence[Table]) -> Iterator[Source]:
    topics = {USER_STATE.name: USER_STATE.partitions}
    with replica_source.opened(settings, topics, fold(decoder, into[0])) as source:
        yield source
