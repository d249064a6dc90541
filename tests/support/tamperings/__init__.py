"""Tamperings of the audit log: of its database and of its export, made at random from seeds."""
