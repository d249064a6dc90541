"""The read side: batches applied exactly once, with offsets, idempotency, parking and dead letters in SQL."""
