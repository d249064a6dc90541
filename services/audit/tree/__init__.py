"""The Merkle tree of the audit log as its store has it."""
