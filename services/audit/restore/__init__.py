"""Restore of the audit log from the topics, whole or after a backup, and the statement of what it lacks."""
