"""Users and reservations as of a moment, built from `user.events.v1` alone. Publishes and sends nothing."""
