"""Bringing a database to the newest version of the tables."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError

from xinglin_node.database import Database, storage_refused

_HERE = Path(__file__).parent


def upgrade(database: Database) -> None:
    """Apply what is missing; nothing where nothing is. Raises `StorageRefused`."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    try:
        with database.engine_for_migrations().connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except SQLAlchemyError as error:
        raise storage_refused(error) from error
