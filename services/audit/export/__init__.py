"""Exports of the audit log: a folder with its tiles, entries and records, and their verification without a database."""
