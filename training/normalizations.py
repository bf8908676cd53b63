"""Normalizations that torch lacks, or has for one kind of input or device only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.utils import parametrize


class AnyBatchNorm(nn.BatchNorm1d):
    """Batch norm of rows (rows, features) and of images (rows, channels, height, width) alike."""

    running_mean: Tensor  # (features,)
    running_var: Tensor  # (features,)
    num_batches_tracked: Tensor  # ()

    def _check_input_dim(self, input: Tensor) -> None:
        """Take either; torch's two classes differ in what they refuse here."""

    def statistics_of(self, x: Tensor) -> list[int]:
        """The dimensions of `x` that a feature's statistics go over: all but the second."""
        return [dimension for dimension in range(x.dim()) if dimension != 1]

    def along(self, values: Tensor, x: Tensor) -> Tensor:
        """One value a feature (features,), shaped to be broadcast along `x`."""
        return values.view(1, -1, *(1 for _ in range(x.dim() - 2)))

    def count_batch(self) -> float:
        """Count one more training batch; its share in the running statistics, a plain mean where `momentum` is None."""
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum


class BatchRenorm(AnyBatchNorm):
    """Batch norm corrected towards its running statistics (Ioffe 2017, algorithm 1).

    The paper averages the standard deviation sqrt(var + eps), not the variance; `running_var` holds the square of that
    average less eps, so that test time is batch norm's own.

    Args:
        features: of a row, or channels of an image.
        momentum: share of a batch in the running statistics.
        eps: added to the variance.
        r_max: bound of the correction of the scale, once it is relaxed.
        d_max: bound of the correction of the shift, in running standard deviations.
        warmup_steps: training batches of plain batch norm, where the bounds are 1 and 0.
        r_max_steps: batches after which `r_max` is reached, in a straight line from there.
        d_max_steps: batches after which `d_max` is reached.
    """

    def __init__(
        self,
        features: int,
        momentum: float,
        eps: float,
        r_max: float,
        d_max: float,
        warmup_steps: int,
        r_max_steps: int,
        d_max_steps: int,
    ) -> None:
        super().__init__(features, eps, momentum)
        self.r_max, self.d_max = r_max, d_max
        self.warmup_steps, self.r_max_steps, self.d_max_steps = warmup_steps, r_max_steps, d_max_steps

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        input = input.to(self.weight.dtype)  # noqa: A001 - a shorter type has too few digits for statistics
        over = self.statistics_of(input)
        mean, std = input.mean(over), (input.var(over, correction=0) + self.eps).sqrt()
        with torch.no_grad():
            scale, shift = self._correction(mean, std)
            self._follow(mean, std)
        normalised = (input - self.along(mean, input)) / self.along(std, input)
        corrected = normalised * self.along(scale, input) + self.along(shift, input)
        return corrected * self.along(self.weight, input) + self.along(self.bias, input)

    def _correction(self, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """What takes this batch's statistics to the running ones, as far as the bounds allow: r and d (features,)."""
        running_std = (self.running_var + self.eps).sqrt()
        r_max = 1 + (self.r_max - 1) * self._relaxed(self.r_max_steps, std)
        d_max = self.d_max * self._relaxed(self.d_max_steps, std)
        scale = (std / running_std).clamp(1 / r_max, r_max)
        return scale, ((mean - self.running_mean) / running_std).clamp(-d_max, d_max)

    def _relaxed(self, steps: int, like: Tensor) -> Tensor:
        """How far a bound that is reached after `steps` batches is relaxed (), from 0 to 1; stays on the device."""
        done = self.num_batches_tracked.to(like.dtype)
        return ((done - self.warmup_steps) / max(1, steps - self.warmup_steps)).clamp(0, 1)

    def _follow(self, mean: Tensor, std: Tensor) -> None:
        """Move the running statistics towards those of this batch."""
        share = self.count_batch()
        self.running_mean.lerp_(mean, share)
        running_std = (self.running_var + self.eps).sqrt().lerp(std, share)
        self.running_var.copy_(running_std.square() - self.eps)


class GhostBatchNorm(AnyBatchNorm):
    """Batch norm over small parts of a batch, one after the other (Hoffer, Hubara and Soudry 2017).

    Args:
        features: of a row, or channels of an image.
        momentum: share of a part in the running statistics.
        eps: added to the variance.
        ghost_rows: rows of a part, at least; the parts' sizes differ by one at most.
    """

    def __init__(self, features: int, momentum: float, eps: float, ghost_rows: int) -> None:
        super().__init__(features, eps, momentum)
        self.ghost_rows = ghost_rows

    def forward(self, input: Tensor) -> Tensor:
        normalise = super().forward
        if not self.training:
            return normalise(input)
        ghosts = input.tensor_split(max(1, len(input) // self.ghost_rows))
        return torch.cat([normalise(ghost) for ghost in ghosts])


class SyncBatchNorm(AnyBatchNorm):
    """Batch norm over the batches of all processes of torch.distributed's group; alone, it is batch norm.

    torch's own of this name runs on GPUs only.

    Args:
        features: of a row, or channels of an image.
        momentum: share of a batch in the running statistics.
        eps: added to the variance.
    """

    def __init__(self, features: int, momentum: float, eps: float) -> None:
        super().__init__(features, eps, momentum)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not _processes_share_a_batch():
            return super().forward(input)
        input = input.to(self.weight.dtype)  # noqa: A001 - a shorter type has too few digits for statistics
        over = self.statistics_of(input)
        # Two rounds: the variance from sums of squares would lose its digits where the mean is large.
        rows = input.new_tensor([input.numel() / input.shape[1]])
        totals = TotalOverProcesses.apply(torch.cat([input.sum(over), rows]))
        mean, count = totals[:-1] / totals[-1], totals[-1]
        centred = input - self.along(mean, input)
        var = TotalOverProcesses.apply(centred.square().sum(over)) / count
        with torch.no_grad():
            self._follow(mean, var * count / (count - 1))
        normalised = centred / self.along((var + self.eps).sqrt(), input)
        return normalised * self.along(self.weight, input) + self.along(self.bias, input)

    def _follow(self, mean: Tensor, unbiased_var: Tensor) -> None:
        """Move the running statistics towards those of this batch."""
        share = self.count_batch()
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(unbiased_var, share)


class TotalOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes, in each of them; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


def _processes_share_a_batch() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


class ChannelRmsNorm(nn.Module):
    """Divides each sequence or image (channels, ...) by its root mean square, then scales each channel.

    Args:
        channels: of each.
        eps: added to the mean square.
    """

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        along = (-1, *(1 for _ in range(x.dim() - 2)))
        return functional.rms_norm(x, x.shape[1:], eps=self.eps) * self.weight.view(along)


class DynamicTanh(nn.Module):
    """gamma tanh(alpha x) + beta, all three learned (Zhu et al. 2025).

    Args:
        features: of a row, or channels of an image; each has its gamma and beta.
        alpha: where the common slope starts.
    """

    def __init__(self, features: int, alpha: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((1,), alpha))
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        along = (-1, *(1 for _ in range(x.dim() - 2)))
        return self.weight.view(along) * torch.tanh(self.alpha * x) + self.bias.view(along)


class StandardizedWeight(nn.Module):
    """A weight (outputs, ...) with mean 0 and variance 1 over each output's numbers (Qiao et al. 2019).

    Args:
        scaled: whether it is divided by the root of how many numbers those are (Brock, De and Smith 2021).
        eps: added to the variance.
    """

    def __init__(self, scaled: bool, eps: float) -> None:
        super().__init__()
        self.scaled, self.eps = scaled, eps

    def forward(self, weight: Tensor) -> Tensor:
        rows = weight.flatten(1)
        centred = rows - rows.mean(dim=1, keepdim=True)
        size = (rows.var(dim=1, correction=0, keepdim=True) + self.eps).sqrt()
        fan_in = rows.shape[1] if self.scaled else 1
        return (centred / (size * fan_in**0.5)).view_as(weight)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What the layer learns once its weight is set to this; its mean and size make no difference."""
        return weight


def weight_standardization(layer: nn.Module, scaled: bool, eps: float) -> nn.Module:
    """The layer, its weight standardised whenever it is used."""
    return parametrize.register_parametrization(layer, "weight", StandardizedWeight(scaled, eps))
