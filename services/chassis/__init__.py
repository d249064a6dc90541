"""The chassis of every service: Kafka, SQL, HTTP, telemetry and process life. It knows no event by name."""
