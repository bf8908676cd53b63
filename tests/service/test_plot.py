"""What a person sees in a job's picture, read back from the SVG's own marks and labels."""

from __future__ import annotations

import math
import struct
from xml.etree import ElementTree as ET

import pytest

from api_schemas.curves import Metrics, NonFinite, Series
from service.plot import curve_svg
from service.plot_paper import png

SVG = "{http://www.w3.org/2000/svg}"


def series(key: str, values: list[float | None], every: int = 1, **more) -> Series:
    steps = [(index + 1) * every - 1 for index in range(len(values))]
    return Series(
        key=key, points=more.pop("points", len(values)), sampled="min" in more, step=steps, value=values, **more
    )


def metrics(*curves: Series) -> Metrics:
    last = max((step for curve in curves for step in curve.step), default=None)
    return Metrics(job="job_1", state="running", last_step=last, series=list(curves))


def draw(*curves: Series, title: str = "digits", **options) -> ET.Element:
    return ET.fromstring(curve_svg(title, "adam, lr 0.001", metrics(*curves), **options))


def texts(picture: ET.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def marks(picture: ET.Element, css: str) -> list[ET.Element]:
    return [element for element in picture.iter() if css in (element.get("class") or "").split()]


def height_to_value(picture: ET.Element, *, log: bool) -> tuple[float, float]:
    """Slope and offset of the loss axis, read from its highest and lowest labelled grid lines."""
    labels = [element for element in picture.iter(f"{SVG}text") if element.get("text-anchor") == "end"]
    lines = [float((line.get("d") or "").split()[1].split("H")[0]) for line in marks(picture, "grid")]
    values = [float((label.text or "").replace(",", "")) for label in labels]
    values = [math.log10(value) for value in values] if log else values
    slope = (values[-1] - values[0]) / (lines[-1] - lines[0])
    return slope, values[0] - slope * lines[0]


@pytest.mark.parametrize("log", [False, True])
def test_a_point_lies_where_the_axis_says_its_value_is(log):
    losses = [2.0, 1.5, 0.31, 0.12, 0.017]
    picture = draw(series("val/loss", losses), log_y=log)
    slope, offset = height_to_value(picture, log=log)
    seen = [slope * float(dot.get("cy") or 0) + offset for dot in picture.iter(f"{SVG}circle")]
    assert [10**value if log else value for value in seen] == pytest.approx(losses, rel=0.01, abs=2e-3)


def test_it_shows_what_it_is_about_the_last_values_and_named_axes():
    picture = draw(
        series("train/loss", [2.31, 0.52, 0.25]),
        series("val/loss", [0.411], every=3),
        series("val/accuracy", [0.9875], 3),
        metric="accuracy",
    )
    seen = texts(picture)
    for expected in ("digits", "adam, lr 0.001", "train/loss", "0.25", "val/loss", "0.411", "val/accuracy", "0.9875"):
        assert expected in seen
    assert {"loss", "accuracy", "step"} <= set(seen)


def test_below_the_losses_it_shows_one_metric_or_none():
    curves = (series("train/loss", [1.0, 0.5]), series("val/mae", [41.0, 40.5]), series("val/r2", [-0.3, 0.51]))
    assert {"r2", "val/r2"} <= set(texts(draw(*curves, metric="r2")))
    assert "val/mae" not in texts(draw(*curves, metric="r2"))
    for metric in (None, "accuracy"):
        assert not [text for text in texts(draw(*curves, metric=metric)) if text in {"r2", "accuracy", "val/r2"}]


def test_it_says_that_it_is_sampled_and_keeps_a_spike_in_its_band():
    curve = series(
        "train/loss", [1.0, 0.9, 0.8], 100, points=300, bucket_steps=100,
        min=[0.9, 0.8, 0.7], max=[1.1, 1.0, 5.0], mean=[1.0, 0.9, 0.8],
    )  # fmt: skip
    picture = draw(curve, log_y=False)
    (note,) = (text for text in texts(picture) if text.startswith("Sampled"))
    assert "train/loss 300 points in buckets of 100 steps" in note
    slope, offset = height_to_value(picture, log=False)
    corners = (marks(picture, "band")[0].get("d") or "").strip("MZ").split("L")
    assert max(slope * float(corner.split()[1]) + offset for corner in corners) == pytest.approx(5.0, rel=0.01)


def test_a_whole_curve_is_not_called_sampled():
    assert not any(text.startswith("Sampled") for text in texts(draw(series("train/loss", [1.0, 0.5]))))


def test_a_loss_that_is_no_number_is_crossed_out_at_its_step_and_breaks_the_line():
    curve = series("train/loss", [2.0, 1.0, None, 1.5, 3.0], nonfinite=[NonFinite(step=2, value="nan")])
    picture = draw(curve)
    assert "nan at step 2" in texts(picture)
    assert len(marks(picture, "line")) == 2
    assert "train/loss is nan at step 2" in [title.text for title in picture.iter(f"{SVG}title")]


def test_losses_over_many_decades_are_drawn_on_a_log_scale_unless_told_otherwise():
    curve = series("train/loss", [10.0 ** (2 - index) for index in range(8)])
    assert "loss (log)" in texts(draw(curve))
    assert "loss" in texts(draw(curve, log_y=False))
    assert {"100", "0.01", "0.0001"} <= set(texts(draw(curve)))


@pytest.mark.parametrize(
    "values",
    [[], [2.3], [0.0], [1.0, 1.0], [None], [1e300, 1.0], [1.7e308, -1.7e308], [1e-320, 1e-310], [0.0, 1.0]],
    ids=str,
)
@pytest.mark.parametrize("log", [None, False, True])
def test_any_curve_can_be_drawn(values, log):
    picture = draw(series("train/loss", values), log_y=log)
    assert "train/loss" in texts(picture)
    assert "nan" not in ET.tostring(picture, encoding="unicode").replace("nan at", "")


def test_a_job_without_points_says_so():
    assert "no points yet" in texts(draw())


def test_steps_are_counted_in_whole_numbers():
    labels = [element.text for element in draw(series("train/loss", [2.0, 1.0])).iter(f"{SVG}text")]
    assert "0.5" not in labels
    assert {"0", "1"} <= set(labels)


@pytest.mark.parametrize("name", ['<script>alert("x")</script>', "a & b ' \" <", "]]>", "nul\x00 and \x1b and \ud800"])
def test_a_hostile_name_stays_text(name):
    picture = draw(series("train/loss", [1.0]), title=name)
    shown = "".join(letter if letter.isprintable() else "�" for letter in name)
    assert shown in texts(picture)
    assert not [element for element in picture.iter() if element.tag.endswith("script")]


def test_a_long_name_is_shortened_on_the_paper_and_whole_for_a_screen_reader():
    name = "digits " * 40
    picture = draw(title=name)
    assert picture.findtext(f"{SVG}title") == name
    assert any(text.endswith("…") for text in texts(picture))


def test_a_screen_reader_hears_what_the_curves_say():
    picture = draw(series("train/loss", [2.0, 0.5]))
    assert "train/loss: 2 points, last 0.5 at step 1" in (picture.findtext(f"{SVG}desc") or "")


def test_the_png_is_twice_the_size_and_has_its_letters_without_any_font_installed():
    one, other = (png(curve_svg(title, "", metrics())) for title in ("one", "two"))
    assert one[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", one[16:24]) == (1720, 960)
    assert one != other
