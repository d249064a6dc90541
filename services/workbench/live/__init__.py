"""The system that stays up: `console run`, with its status."""
