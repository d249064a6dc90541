"""What a person runs: the local system, the demo, the topics."""
