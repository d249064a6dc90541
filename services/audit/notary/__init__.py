"""Checkpoints of the audit log: signed, cosigned by witnesses, published, and compared with those published before."""
