"""How much an attempt has told, so that what it tells again is not written again."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("told", sa.BigInteger(), nullable=False, server_default="0"))
