"""SQL access: engines, transactions, bulk statements, schema migrations and the write health check."""
