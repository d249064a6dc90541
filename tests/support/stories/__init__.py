"""End-to-end scenarios: a target system, its mailboxes, and the steps of a scenario."""
