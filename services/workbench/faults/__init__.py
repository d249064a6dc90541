"""Faults on purpose in a running system, and a count of what became of the commands meanwhile."""
