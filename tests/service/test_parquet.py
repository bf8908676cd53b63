"""Points leave as a Parquet file that others read, and that ends early where the points do."""

from __future__ import annotations

import io
import threading

import numpy as np
import polars as pl
import pytest

from service.parquet import parquet
from storage.points import Stretch


def parts(count):
    """Some parts of two series."""
    generator = np.random.default_rng(0)
    for key, step in (("train/loss", 1), ("val/loss", 225)):
        for number in range(count):
            steps = np.arange(number * 50_000, (number + 1) * 50_000) * step
            yield key, Stretch(steps, generator.normal(size=50_000).astype(np.float32).astype(np.float64))


def test_every_point_is_a_row_as_it_was_measured():
    bits = np.array([0x7FF8000000000001, 0xFFF0000000000000, 0x8000000000000000], np.uint64)
    odd = ("test/loss", Stretch(np.arange(3), bits.view(np.float64)))
    file = b"".join(parquet(iter([*parts(3), odd])))
    frame = pl.read_parquet(io.BytesIO(file))
    assert frame.schema == {"key": pl.String, "step": pl.Int64, "value": pl.Float64}
    for key in ("train/loss", "val/loss"):
        measured = Stretch.of([part for of, part in parts(3) if of == key])
        rows = frame.filter(key=key)
        assert rows["step"].to_numpy().tolist() == measured.steps.tolist()
        assert rows["value"].to_numpy().tobytes() == measured.values.tobytes()
    assert frame.tail(3)["value"].to_numpy().view(np.uint64).tolist() == bits.tolist()
    assert len(file) < 6 * len(frame)


def test_a_job_without_points_has_a_file_without_rows():
    assert pl.read_parquet(io.BytesIO(b"".join(parquet(iter([]))))).shape == (0, 3)


def test_a_file_whose_points_cannot_be_read_to_the_end_does_not_look_whole():
    def broken():
        yield from parts(4)
        raise RuntimeError("the database is away")

    with pytest.raises(Exception, match="the database is away"):
        b"".join(parquet(broken()))


def test_whoever_goes_away_in_the_middle_leaves_nobody_behind():
    before = threading.active_count()
    pieces = parquet(parts(20))
    assert next(pieces)[:4] == b"PAR1"
    pieces.close()
    assert threading.active_count() == before
