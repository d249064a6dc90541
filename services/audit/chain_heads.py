"""Chain heads kept between batches, so that a batch need not read them from the store."""

from services.audit.domain import Chain

Chains = dict[tuple[str, int], Chain]  # by topic id and partition


class Heads:
    """The chains as this replica's last append left them.

    They are those of the store as long as the log has the size that it had then: each append by any replica makes it
    larger, and the size is read under the log's lock. Without an append that is known to be committed none are kept.
    """

    def __init__(self) -> None:
        self._size = -1
        self._chains: Chains = {}

    def take(self, size: int) -> Chains:
        """Return the chains of a log of this size, none if others may have appended; they are kept no longer."""
        size_then, kept = self._size, self._chains
        self._size, self._chains = -1, {}
        return kept if size == size_then else {}

    def keep(self, size: int, chains: Chains) -> None:
        """Keep the chains of a log of this size, which is committed."""
        self._size, self._chains = size, chains
