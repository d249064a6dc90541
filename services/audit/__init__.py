"""The audit service: a hash-chained log of every topic's records, which detects accidental and partial changes."""
