"""Alembic's entry point: runs the revisions on the connection that `upgrade` has opened and will commit."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
context.run_migrations()
