"""What was measured is read back exactly, whole or in buckets that hide no spike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from storage import attempts
from storage.attempts import Report
from storage.curves import CHUNK_POINTS, CurveWriter
from storage.metrics import read_metrics, read_points, stream_points
from storage.tables import ChunkRow, SummaryRow


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


@pytest.fixture
def series_of(database, submit):
    """Write a series by some reports of a new attempt; returns a reader of it. Its chunks have 4 points only.

    So some hundred points have summaries of three levels.
    """

    def write(steps, values, cuts=(), rewound_to=None):
        job = submit()
        start = 0
        curves = CurveWriter(job.id, chunk_points=4)
        for stop in [*cuts, len(steps)]:
            curves.add("train/loss", steps[start:stop], values[start:stop])
            start = stop
            with database.write() as session:
                curves.write(session)
            curves.written()
        if rewound_to is not None:
            with database.write() as session:
                CurveWriter(job.id, chunk_points=4).rewind(session, rewound_to)

        def read(**options):
            found = read_metrics(database, "default", job.id, **options)[0].series
            return found[0] if found else None

        return read

    return write


NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, -0.0]))


@st.composite
def curve(draw):
    """Steps, with and without gaps; values; and where reports end."""
    gaps = draw(st.sampled_from([st.just(1), st.just(7), st.integers(1, 3), st.sampled_from([1, 1, 1, 5000])]))
    steps = np.cumsum(draw(st.lists(gaps, min_size=1, max_size=400))) - 1
    seed = draw(st.integers(0, 99))
    values = np.random.default_rng(seed).normal(size=len(steps))
    for place in draw(st.lists(st.integers(0, len(steps) - 1), max_size=5)):
        values[place] = draw(NUMBERS)
    return steps, values, sorted(draw(st.lists(st.integers(0, len(steps)), max_size=30)))


@settings(max_examples=16, suppress_health_check=list(HealthCheck))
@given(curve=curve(), most=st.integers(2, 60), data=st.data())
def test_buckets_agree_with_the_points_in_them_wherever_one_looks(series_of, curve, most, data):
    steps, values, cuts = curve
    read = series_of(steps, values, cuts)
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, int(steps[-1]) + 3)] * 2)))
    for options in ({}, {"from_step": start, "to_step": end}):
        low, high = options.get("from_step", 0), options.get("to_step", steps[-1])
        inside = (steps >= low) & (steps <= high)
        _agrees(read(max_points=most, **options), steps[inside], values[inside], most)


def _agrees(series, steps, values, most):
    if series is None or not series.points:
        assert not len(steps)
        return
    assert (series.step[0], series.step[-1], series.points) == (steps[0], steps[-1], len(steps))
    assert len(series.step) <= most
    assert series.sampled == (len(steps) > most)
    odd = ~np.isfinite(values)
    assert [(one.step, one.value) for one in series.nonfinite] == [
        (step, repr(value)) for step, value in zip(steps[odd].tolist(), values[odd].tolist(), strict=True)
    ]
    before = -1
    for index, end in enumerate(series.step):
        bucket = values[(steps > before) & (steps <= end)]
        assert series.value[index] == (bucket[-1] if np.isfinite(bucket[-1]) else None)
        if series.sampled:
            _is_bucket(series, index, bucket[np.isfinite(bucket)])
            assert before < 0 or index == 1 or end // series.bucket_steps > before // series.bucket_steps
        before = end


def _is_bucket(series, index, finite):
    assert series.min[index] == (finite.min() if len(finite) else None)
    assert series.max[index] == (finite.max() if len(finite) else None)
    assert series.mean[index] == (pytest.approx(finite.mean(), rel=1e-9, abs=1e-6) if len(finite) else None)


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(curve=curve(), data=st.data())
def test_an_attempt_that_goes_on_from_an_earlier_step_keeps_the_points_before_it_and_no_other(series_of, curve, data):
    steps, values, cuts = curve
    rewound_to = data.draw(st.integers(0, int(steps[-1]) + 1))
    read = series_of(steps, values, cuts, rewound_to)
    kept = steps < rewound_to
    for most in (5, 40):
        _agrees(read(max_points=most), steps[kept], values[kept], most)


def test_the_stream_has_every_point_of_every_series(write):
    write("train/loss", range(5000), [0.5] * 5000)
    write("val/loss", [4999], [math.nan])
    parts = list(stream_points(write.database, "default", write.job.id, None))
    assert sum(len(part) for key, part in parts if key == "train/loss") == 5000
    assert [(key, part.steps.tolist()) for key, part in parts][-1] == ("val/loss", [4999])


def test_a_chunk_that_an_older_version_wrote_is_read_and_gets_its_summary_when_its_job_goes_on(database, submit):
    job, values = submit(), np.arange(10_000.0)
    with database.write() as session:
        for first in range(0, 10_000, CHUNK_POINTS):
            part = values[first : first + CHUNK_POINTS]
            session.add(
                ChunkRow(
                    job_id=job.id,
                    key="train/loss",
                    first_step=first,
                    last_step=first + len(part) - 1,
                    count=len(part),
                    steps=None,
                    values=part.tobytes(),
                )
            )

    def read(**options):
        return read_metrics(database, "default", job.id, **options)[0].series[0]

    before = [read(), read(max_points=20), read(max_points=20, from_step=77, to_step=9000)]
    assert before[0].value == values.tolist()
    with database.write() as session:
        CurveWriter(job.id).rewind(session, 10_000)
        assert session.scalar(select(func.count()).select_from(SummaryRow)) == 2
    assert [read(), read(max_points=20), read(max_points=20, from_step=77, to_step=9000)] == before


def test_however_small_the_reports_a_point_is_written_again_only_when_its_chunk_doubles(database, submit):
    curves, written, most = CurveWriter(submit().id, chunk_points=256), 0, 0
    with database.write() as session:
        for step in range(512):
            curves.add("train/loss", [step], [1.0])
            curves.write(session)
            chunks = curves._series["train/loss"]
            written, most = written + sum(map(len, chunks.chunks())), max(most, len(chunks.tail))
            curves.written()
    assert written <= 512 * (1 + math.log2(256))
    assert most <= math.log2(256)


@pytest.mark.parametrize("key", ["train/loss", "val/loss"])
def test_every_point_is_a_row_of_a_view_with_the_bits_that_it_was_measured_with(write, key):
    bits = np.random.default_rng(0).integers(0, 2**64, 10_000, dtype=np.uint64)
    odd = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308]
    values = np.concatenate([odd, bits.view(np.float64)])
    steps = np.arange(len(values)) if key == "train/loss" else np.cumsum(np.arange(len(values))) + 2**40
    write(key, steps, values)
    query = text("SELECT step, value FROM points WHERE job = :job AND series = :series ORDER BY step")
    with write.database.read() as session:
        rows = session.execute(query, {"job": write.job.id, "series": key}).all()
    read = np.array([math.nan if value is None else value for _, value in rows])
    assert [step for step, _ in rows] == steps.tolist()
    assert np.array_equal(np.isnan(read), np.isnan(values))
    number = ~np.isnan(values)
    assert np.array_equal(read[number].view(np.int64), values[number].view(np.int64))


def test_what_is_no_number_keeps_its_bits(write):
    bits = np.array([0x7FF8000000000001, 0xFFF4000000000002, 0x8000000000000000], np.uint64)
    write("train/loss", range(3), bits.view(np.float64))
    with write.database.read() as session:
        assert read_points(session, write.job.id)["train/loss"].values.view(np.uint64).tolist() == bits.tolist()
