"""Every alert is proved: by rules tests over made-up series, and by what is done to a running system."""
