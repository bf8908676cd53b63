"""A curve in one line."""

from __future__ import annotations

from api_schemas.curves import Series
from client.sparkline import sparkline


def series(values: list[float | None], step: list[int] | None = None) -> Series:
    steps = step or list(range(len(values)))
    return Series(key="train/loss", points=len(values), sampled=False, step=steps, value=values)


def test_a_falling_curve_falls() -> None:
    assert sparkline(series([8, 7, 6, 5, 4, 3, 2, 1]), 8, 8) == "█▇▆▅▄▃▂▁"


def test_the_width_stands_for_the_whole_run() -> None:
    assert len(sparkline(series([2.0, 1.0] * 25), total_steps=100, width=20)) == 10


def test_a_column_without_a_point_repeats_the_one_before() -> None:
    assert sparkline(series([1, 2], step=[49, 99]), total_steps=100, width=4) == "▁▁▁█"


def test_a_loss_that_falls_a_thousandfold_is_seen_to_fall_all_along() -> None:
    assert sparkline(series([10.0**-power for power in range(8)]), 8, 8) == "█▇▆▅▄▃▂▁"


def test_a_value_that_is_not_finite_is_a_cross() -> None:
    assert sparkline(series([1, 2, None]), 3, 3) == "▁█✗"
    assert sparkline(series([None]), 3, 3) == "✗"


def test_a_constant_curve_and_an_empty_one_can_be_drawn() -> None:
    assert sparkline(series([5, 5, 5]), 3, 3) == "▄▄▄"
    assert sparkline(series([]), 3, 3) == ""
