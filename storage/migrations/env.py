"""What Alembic runs: our tables, on the database that it is given."""

from typing import Literal

from alembic import context

from storage.database import Database
from storage.tables import Document, Table, UtcTime


def plain_types(kind: str, value: object, _context: object) -> str | Literal[False]:
    """Write our column types as what the database sees, so that a migration stays true when our code changes."""
    if kind == "type" and isinstance(value, UtcTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(value, Document):
        return "sa.Text()"
    return False


def run() -> None:
    """Run the migrations in one transaction."""
    database = Database(context.config.attributes["database_url"])
    try:
        with database.engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=Table.metadata,
                render_item=plain_types,
            )
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
    finally:
        database.close()


run()
