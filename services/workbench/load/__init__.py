"""The load generator: an open loop of mixed commands at a given rate, with latencies and completeness."""
