"""Campaigns: a load on a system whose parts are broken one after the other, as a seed decides, and then every check."""
