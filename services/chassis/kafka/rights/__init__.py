"""Rights at the broker: the ones that a client lacks, and the command that grants them."""
