"""Completeness of the audit log: its entries compared with the records that the broker has."""
