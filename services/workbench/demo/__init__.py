"""The demo: a campaign of commands over HTTP, and a count of the effects that arrived."""
