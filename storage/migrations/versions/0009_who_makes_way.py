"""A job may make way for others, and what a claim reads stands in one index."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_READ_BY_A_CLAIM = ["state", "queue", "priority", "project_id", "id", "device", "not_before"]


def upgrade() -> None:
    op.add_column("jobs", sa.Column("preemptible", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_jobs_claim", "jobs")
    op.create_index("ix_jobs_claim", "jobs", _READ_BY_A_CLAIM, unique=False)
