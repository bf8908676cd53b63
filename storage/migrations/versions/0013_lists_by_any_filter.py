"""A page of jobs reads an index and the rows that it shows, whatever it is filtered by."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_jobs_list", "jobs")
    op.create_index("ix_jobs_list", "jobs", ["project_id", "id", "state", "name", "dataset_id", "created_at"])
    op.drop_index("ix_job_tags_find", "job_tags")
    op.create_index("ix_job_tags_find", "job_tags", ["name", "value", "job_id"])
