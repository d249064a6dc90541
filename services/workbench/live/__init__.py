"""The system that stays up: `make run`, with its status."""
