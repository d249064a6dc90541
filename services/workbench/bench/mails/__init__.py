"""Mails of the bench: our senders against a loop over smtplib and aiosmtplib, the same bytes to the same sink."""
