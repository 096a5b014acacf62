"""The migrations make exactly the tables that the code describes."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from xinglin_node.database import Database
from xinglin_node.migrations.run import upgrade
from xinglin_node.tables import metadata


class TestMigrations:
    def test_a_migrated_database_is_what_the_code_describes(self, database_url) -> None:
        database = Database(database_url)
        upgrade(database)
        with database.engine_for_migrations().connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, metadata())
        database.close()
        assert differences == []

    def test_migrating_again_changes_nothing(self, database_url) -> None:
        database = Database(database_url)
        upgrade(database)
        upgrade(database)
        with database.engine_for_migrations().connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, metadata())
        database.close()
        assert differences == []
