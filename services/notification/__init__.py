"""The notification service: turns notices and states of users into mails, and tells what became of each."""
