"""The whole system on one machine: processes, broker, mail sink, demo, load, benchmarks and documents. In no image."""
