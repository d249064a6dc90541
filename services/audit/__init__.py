"""The audit service: a tamper-evident log of every topic's records, which others can verify."""
