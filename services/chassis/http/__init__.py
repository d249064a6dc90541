"""The HTTP server: application, middleware, limits, request checks and problem details."""
