"""Campaigns: schedules and reports."""
