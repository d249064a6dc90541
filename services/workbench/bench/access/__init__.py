"""Access control of the bench: what logins, an authorizer and TLS cost producers and consumers."""
