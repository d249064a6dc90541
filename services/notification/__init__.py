"""The notification service: projects users from Kafka, sends mails and publishes the outcome of each."""
