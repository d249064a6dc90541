"""The offsets of each partition that have no entry: those before the first entry, and gaps between entries."""

from collections.abc import Iterable, Iterator, Mapping

from services.audit.domain import Chain
from services.chassis.messages.record import TopicPartition


def missing(chains: Iterable[Chain], begins: Mapping[TopicPartition, int]) -> Iterator[str]:
    """Yield a line for each partition without entries for all of its offsets; `begins` has first offsets on the broker.

    A gap may have been left by a transaction, and then there was no record. Nothing on the topic tells.
    """
    found = sorted(chains, key=lambda chain: (chain.topic, chain.partition, chain.topic_id))
    for chain in found:
        place = f"{chain.topic}[{chain.partition}]"
        if chain.first_offset:
            yield f"{place}: the evidence begins at offset {chain.first_offset:,}, nothing before it is recorded"
        if chain.gaps:
            among = f"between {chain.first_offset:,} and {chain.next_offset - 1:,}"
            yield f"{place}: {chain.gaps:,} offsets {among} have no entry"
    recorded = {TopicPartition(chain.topic, chain.partition) for chain in found}
    for partition, begin in sorted(begins.items(), key=lambda item: (item[0].topic, item[0].partition)):
        if begin and partition not in recorded:
            place = f"{partition.topic}[{partition.partition}]"
            yield f"{place}: no evidence, all records before offset {begin:,} have been deleted from the topic"
