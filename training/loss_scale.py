"""The factor of the loss that keeps gradients within the range of float16."""

from __future__ import annotations

import math

from torch import Tensor


class LossScale:
    """Multiplies the loss while its gradient is taken, so that what is small in it is not rounded to 0 in float16.

    Dynamic loss scaling (Micikevicius et al. 2018, section 3.2) by the rules and numbers of `torch.amp.GradScaler`: a
    step whose gradient overflows is skipped and the factor halved; after 2,000 steps in a row without one it is
    doubled. All weights are skipped together, whichever optimizers they have.

    Attributes:
        factor: of the coming step's loss, a power of two, so that dividing by it rounds nothing.
    """

    GROWTH_INTERVAL = 2000
    SMALLEST = 2.0**-14
    """The least normal number of float16: below it a gradient of 1 would lose digits too."""

    def __init__(self) -> None:
        self.factor = 2.0**16
        self._in_a_row = 0

    def allows(self, norm: Tensor) -> bool:
        """Take in the norm () of a step's gradient, already divided by the factor; waits for the device.

        Returns:
            Whether the step is to be taken.

        Raises:
            FloatingPointError: where no factor is left that is worth a try.
        """
        if math.isfinite(norm.item()):
            self._in_a_row += 1
            if self._in_a_row == self.GROWTH_INTERVAL:
                self.factor, self._in_a_row = 2 * self.factor, 0
            return True
        self.factor, self._in_a_row = self.factor / 2, 0
        if self.factor < self.SMALLEST:
            raise FloatingPointError(f"its gradient overflows even with the loss times {2 * self.factor:g}")
        return False

    def state(self) -> tuple[float, int]:
        """What a checkpoint keeps."""
        return self.factor, self._in_a_row

    def restore(self, state: tuple[float, int]) -> None:
        """Go on from `state()`."""
        self.factor, self._in_a_row = state
