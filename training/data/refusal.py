"""Why a file cannot be used as a dataset, and the limits that it has to keep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from api_schemas.errors import Fault


class UnreadableTable(Exception):
    """The file cannot be used.

    Attributes:
        fault: where, under which code, and what a person can do about it.
    """

    def __init__(self, code: str, message: str, pointer: str = "/file") -> None:
        super().__init__(message)
        self.fault = Fault(pointer=pointer, code=code, message=message)


@dataclass(frozen=True)
class Limits:
    """How much a file may hold."""

    rows: int = 100_000_000
    columns: int = 10_000
    bytes: int = 20 << 30
    """Of the file once it is decompressed, and of its columns as arrays."""
    scratch: Path | None = None
    """Where a file is decompressed to; by default the machine's temporary folder."""

    def check_rows(self, rows: int) -> None:
        """Refuse too many rows.

        Raises:
            UnreadableTable: when there are more than the operator allows.
        """
        if rows > self.rows:
            raise UnreadableTable(
                "too_many_rows", f"the file has more than {self.rows:,} rows; upload a sample of them"
            )

    def check_columns(self, columns: int) -> None:
        """Refuse too many columns.

        Raises:
            UnreadableTable: when there are more than the operator allows.
        """
        if columns > self.columns:
            raise UnreadableTable("too_many_columns", f"{columns:,} columns; at most {self.columns:,} are read")

    def check_bytes(self, size: int, what: str) -> None:
        """Refuse what would become too large.

        Raises:
            UnreadableTable: when there are more bytes than the operator allows.
        """
        if size > self.bytes:
            raise UnreadableTable("too_large", f"{what} takes more than {self.bytes:,} bytes; upload a part of it")
