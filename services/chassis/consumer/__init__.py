"""The consumer side: exactly-once batches, with offset storage, idempotency, parking and dead letters."""
