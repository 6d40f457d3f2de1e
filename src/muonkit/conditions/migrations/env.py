"""Alembic runs this file: the steps go to the connection of the caller, in the transaction of the caller."""

from alembic import context

from muonkit.conditions.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
