"""The operator's commands: topics, consumer lag, held records, rebuild check and the lag probe."""
