"""The relay against a bare producer, and the outbox figures that comparable projects publish."""
