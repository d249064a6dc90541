"""Unicode rules of names and logins: their unique form, and the characters that they may have."""
