"""Restore of the user database from the topics: the whole of it, or what came after a backup."""
