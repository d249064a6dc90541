"""Transparency logs in open formats: Merkle tree, tiles, signed notes, checkpoints, policies, proofs and witnesses."""
