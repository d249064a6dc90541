"""Authentication and authorization of the API: bearer tokens, their roles, and the caller of a request."""
