"""Two git revisions of the whole system, started and loaded by turns by one load generator."""
