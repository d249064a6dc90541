"""The write side: event store, group commit, lease, relay and the check against a diverged log."""
