"""A dataset may be several files."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("files", sa.Text(), nullable=False, server_default="[]"))
    datasets = sa.table("datasets", *(sa.column(name) for name in ("id", "name", "sha256", "bytes", "files")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(datasets)).all():
        files = json.dumps([{"name": row.name, "sha256": row.sha256, "bytes": row.bytes}])
        connection.execute(datasets.update().where(datasets.c.id == row.id).values(files=files))
