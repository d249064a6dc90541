"""`console probe`: lag, groups, topics and the certificates of the broker, as metrics."""
