"""Mails of the bench: our senders against loops over smtplib and aiosmtplib, the same bytes to the same sink."""
