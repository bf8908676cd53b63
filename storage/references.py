"""Which stored files the database refers to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Text, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from storage.tables import DatasetRow, JobRow, ModelTaskRow, Table

REFERENCES: Mapping[type[Table], Sequence[InstrumentedAttribute[Any]]] = {
    JobRow: (JobRow.init_sha256, JobRow.checkpoint_sha256, JobRow.model_sha256, JobRow.checkpoints),
    DatasetRow: (DatasetRow.arrays_sha256, DatasetRow.files),
    ModelTaskRow: (ModelTaskRow.result_sha256, ModelTaskRow.asked),
}
"""Every column that holds digests of stored files; a document is searched as the text that it is."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ROWS = 1000


def references(connection: Connection) -> set[str]:
    """The digests of all files that some row refers to, as the connection's transaction sees them."""
    found: set[str] = set()
    for columns in REFERENCES.values():
        texts = select(*(type_coerce(column, Text()) for column in columns))
        for row in connection.execute(texts, execution_options={"yield_per": _ROWS}):
            for text in row:
                found.update(_DIGEST.findall(text or ""))
    return found
