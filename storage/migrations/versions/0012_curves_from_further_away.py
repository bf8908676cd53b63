"""Summaries of curves, and a view that has each point as a row, for people and dashboards that speak SQL.

The view decodes float64 and int64 in plain SQL, exactly: a float is (-1)^sign * (hidden + fraction) * 2^exponent, and
each of these products is one that a float64 holds. What is no number is NULL; infinities are themselves.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "curve_summaries",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("after_step", sa.BigInteger(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("cell_steps", sa.BigInteger(), nullable=False),
        sa.Column("cells", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_curve_summaries_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "key", "level", "after_step", name="pk_curve_summaries"),
    )
    op.execute(_SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL)


def _little_endian(byte: str, count: int) -> str:
    """The whole number of some bytes; `byte` is an expression with `{}` for the place of one."""
    return " + ".join(f"({byte.format(place)} << {8 * place})" for place in range(count))


def _sqlite() -> str:
    # SQLite has no function that reads a number from bytes; `instr` finds a byte among all 256. A chunk is cut into
    # blocks of 64 points first, as it copies the whole value whenever it takes a piece of it; and DISTINCT keeps it
    # from putting the expression for a block wherever one of its points is asked for.
    octets = "X'" + bytes(range(256)).hex() + "'"
    of_steps, of_values = (
        f"(instr(octets, substr({column}, 8 * place.i + {{}} + 1, 1)) - 1)" for column in ('"steps"', '"values"')
    )
    head = f"({of_values.format(7)} << 4) + ({of_values.format(6)} >> 4)"
    fraction = f"((({of_values.format(6)} & 15) << 48) + {_little_endian(of_values, 6)})"
    return f"""
CREATE VIEW points AS
WITH RECURSIVE
  place (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE i < 63),
  scale (exponent, factor) AS (
    SELECT 0, 1.0
    UNION ALL SELECT exponent + 1, factor * 2 FROM scale WHERE exponent BETWEEN 0 AND 970
    UNION ALL SELECT exponent - 1, factor / 2 FROM scale WHERE exponent BETWEEN -1073 AND 0),
  positive (head, factor, hidden) AS (
    SELECT exponent + 1075, factor, 1 << 52 FROM scale
    UNION ALL SELECT 0, factor, 0 FROM scale WHERE exponent = -1074
    UNION ALL SELECT 2047, 9e999, 1),
  heads (head, factor, hidden) AS (
    SELECT head, factor, hidden FROM positive UNION ALL SELECT head + 2048, -factor, hidden FROM positive),
  block (job, series, first_step, count, octets, "steps", "values") AS (
    SELECT DISTINCT job_id, key, first_step + 64 * i, min(64, count - 64 * i), {octets},
      substr("steps", 512 * i + 1, 512), substr("values", 512 * i + 1, 512)
    FROM curve_chunks CROSS JOIN place ON 64 * i < count)
SELECT job, series,
  CASE WHEN "steps" IS NULL THEN first_step + place.i ELSE {_little_endian(of_steps, 8)} END AS step,
  CASE WHEN hidden <> 1 OR {fraction} = 0 THEN factor * (hidden + {fraction}) END AS value
FROM block CROSS JOIN place ON place.i < block.count CROSS JOIN heads ON head = {head}
"""  # noqa: S608  # all of it is ours


def _postgresql() -> str:
    # OFFSET 0 keeps PostgreSQL from doing again for every point what is done once for a chunk, which is to unpack it,
    # or once for a point.
    of_steps, of_values = (f"CAST(get_byte(chunk.{column}, 8 * i + {{}}) AS bigint)" for column in ("steps", "octets"))
    return f"""
CREATE VIEW points AS
SELECT job_id AS job, key AS series, step,
  CASE
    WHEN exponent < 2047 THEN
      sign * CAST(fraction + CASE WHEN exponent > 0 THEN 4503599627370496 ELSE 0 END AS double precision)
      * power(CAST(2 AS double precision), greatest(exponent, 1) - 1075)
    WHEN fraction = 0 THEN sign * CAST('infinity' AS double precision)
  END AS value
FROM curve_chunks
CROSS JOIN LATERAL (
  SELECT curve_chunks.steps || '' AS steps, curve_chunks."values" || '' AS octets OFFSET 0) AS chunk
CROSS JOIN LATERAL generate_series(0, CAST(count AS integer) - 1) AS place (i)
CROSS JOIN LATERAL (
  SELECT CASE WHEN chunk.steps IS NULL THEN first_step + i ELSE {_little_endian(of_steps, 8)} END AS step,
    {_little_endian(of_values, 8)} AS bits OFFSET 0) AS point
CROSS JOIN LATERAL (
  SELECT CAST(CASE WHEN bits < 0 THEN -1 ELSE 1 END AS double precision) AS sign, (bits >> 52) & 2047 AS exponent,
    bits & 4503599627370495 AS fraction OFFSET 0) AS part
"""  # noqa: S608  # all of it is ours


_SQLITE, _POSTGRESQL = _sqlite(), _postgresql()
