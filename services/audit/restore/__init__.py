"""Restore of the audit log from the topics, whole or after a backup."""
