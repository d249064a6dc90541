"""Two git revisions by turns: the whole system under one load generator, or the audit service on one log."""
