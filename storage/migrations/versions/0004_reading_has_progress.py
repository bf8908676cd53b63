"""The reading of a dataset says how far it has got."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("rows_read", sa.BigInteger(), nullable=True))
