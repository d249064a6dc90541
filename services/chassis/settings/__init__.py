"""Typed settings from environment variables. Each room declares its own mixin in its `settings.py`."""
