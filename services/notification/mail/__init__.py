"""Renders mails and delivers them by SMTP: the sender, the mail server connection and the templates."""
