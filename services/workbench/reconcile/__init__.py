"""The history of clients against the log, the stores, the mails and the audit log: anomalies under Jepsen's names."""
