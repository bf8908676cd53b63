"""What was measured is read back exactly, whole or in buckets that hide no spike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import attempts
from storage.attempts import Report
from storage.curves import CHUNK_POINTS, CurveWriter, read_metrics, stream_points


@pytest.fixture
def write(database, submit):
    """Write points of a running job: `write("train/loss", steps, values)`; returns a reader of one series."""
    job = submit()
    lease = attempts.claim(database, "wrk_1", ["default"], ["cpu"], 60.0).lease
    curves = CurveWriter(job.id)

    def write(key, steps, values):
        curves.add(key, steps, values)
        attempts.report(database, lease, curves, Report(0, {}))

        def read(**options):
            return read_metrics(database, "default", job.id, keys=[key], **options)[0].series[0]

        return read

    write.job = job
    write.database = database
    return write


def test_points_come_back_as_they_were_over_many_writes_and_chunks(write):
    values = np.random.default_rng(0).normal(size=3 * CHUNK_POINTS + 17).tolist()
    for start in range(0, len(values), 1000):
        part = values[start : start + 1000]
        read = write("train/loss", range(start, start + len(part)), part)
    series = read()
    assert series.step == list(range(len(values)))
    assert series.value == values
    assert not series.sampled
    assert series.min is None


def test_values_that_json_has_no_number_for_are_null_and_listed(write):
    series = write("train/loss", range(4), [1.0, math.inf, -math.inf, math.nan])()
    assert series.value == [1.0, None, None, None]
    assert [(point.step, point.value) for point in series.nonfinite] == [(1, "inf"), (2, "-inf"), (3, "nan")]


def test_a_point_that_is_told_twice_is_one_point(write):
    write("val/loss", [9, 19], [2.0, 1.0])
    read = write("val/loss", [19, 29], [1.0, 0.5])
    assert read().step == [9, 19, 29]
    assert read().value == [2.0, 1.0, 0.5]


def test_a_range_is_inclusive_and_sampled_again_from_the_raw_points(write):
    read = write("train/loss", range(10_000), np.arange(10_000.0).tolist())
    assert read(from_step=9_990).step == list(range(9_990, 10_000))
    assert read(to_step=2).value == [0.0, 1.0, 2.0]
    narrow = read(from_step=100, to_step=199, max_points=100)
    assert not narrow.sampled
    assert narrow.step == list(range(100, 200))


def test_no_spike_is_lost_in_a_bucket(write):
    values = [1.0] * 10_000
    values[4_321], values[8_765] = 99.0, -99.0
    series = write("train/loss", range(10_000), values)(max_points=100)
    assert len(series.step) <= 100
    assert max(series.max) == 99.0
    assert min(series.min) == -99.0
    assert (series.step[0], series.step[-1]) == (0, 9_999)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_buckets_agree_with_the_points_in_them(data):
    from storage.curves import _series

    steps = np.array(sorted(data.draw(st.sets(st.integers(0, 10**6), min_size=1, max_size=300))), dtype=np.int64)
    number = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf]))
    values = np.array(data.draw(st.lists(number, min_size=len(steps), max_size=len(steps))))
    most = data.draw(st.integers(2, 50))
    series = _series("train/loss", steps, values, most)
    assert len(series.step) <= max(most, 1)
    assert (series.step[0], series.step[-1]) == (steps[0], steps[-1])
    assert series.points == len(steps)
    if not series.sampled:
        return
    last_end = -1
    for index, end in enumerate(series.step):
        inside = values[(steps > last_end) & (steps <= end)]
        finite = inside[np.isfinite(inside)]
        assert series.min[index] == (finite.min() if len(finite) else None)
        assert series.max[index] == (finite.max() if len(finite) else None)
        assert series.mean[index] == (pytest.approx(finite.mean(), rel=1e-9, abs=1e-6) if len(finite) else None)
        last_end = end


def test_the_stream_has_every_point_of_every_series(write):
    write("train/loss", range(5000), [0.5] * 5000)
    write("val/loss", [4999], [math.nan])
    parts = list(stream_points(write.database, "default", write.job.id, None))
    assert sum(len(steps) for key, steps, _ in parts if key == "train/loss") == 5000
    assert [(key, steps) for key, steps, _ in parts][-1] == ("val/loss", [4999])
