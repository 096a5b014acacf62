"""Alembic's entry: runs inside the connection that `run.upgrade` hands over."""

from alembic import context

from xinglin_node.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata(), compare_type=True, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
