"""Outbox figures as comparable projects publish them: commit to acknowledgement, and the drain of a backlog."""
