"""The notification service's tables and everything that reads or writes them, in bulk."""
