"""The operator's commands: topics, consumer lag, parked records, rebuild check and the lag probe."""
