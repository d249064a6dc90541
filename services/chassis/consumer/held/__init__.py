"""Held records: what a consumer cannot apply, parked or dead, with its letters, retries and ceilings."""
