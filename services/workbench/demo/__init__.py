"""The demo: a campaign of commands, driven over HTTP, and a count of what became of them."""
