"""The audit service: evidence of what was on every topic, that others can check."""
