"""Jobs may be trained together, in one slot of a worker."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_READ_BY_A_CLAIM = ["state", "queue", "priority", "project_id", "id", "device", "not_before", "fuse_key"]


def upgrade() -> None:
    op.add_column("jobs", sa.Column("fuse_key", sa.String(64), nullable=True))
    op.add_column("jobs", sa.Column("slot", sa.BigInteger(), nullable=True))
    op.drop_index("ix_jobs_claim", "jobs")
    op.create_index("ix_jobs_claim", "jobs", _READ_BY_A_CLAIM, unique=False)
