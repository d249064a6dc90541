"""The witness: cosigns checkpoints of known logs, each only if it extends the one before (C2SP tlog-witness)."""
