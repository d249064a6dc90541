"""The write side: event store, group commit, lease, relay and the divergence check."""
