"""The part of a script's loop that takes the gradient of a step, and changes it before the optimizer has it."""

from __future__ import annotations

from api_schemas.catalog.call import Call, Name
from script.optimizer import Steps
from script.page import Page
from script.subject import Subject

_GRADIENT = "training.gradient"


class Descent:
    """Writes what leads from rows to a gradient, with nothing in it that this job has no use for.

    Args:
        page: the script, `network`, `criterion` and the optimizer already in it.
        subject: whose run it is.
        steps: what the optimizer wants done.
    """

    def __init__(self, page: Page, subject: Subject, steps: Steps) -> None:
        self._page, self._steps = page, steps
        self._training, self._entry = subject.spec.training, subject.spec.optimizer

    @property
    def scales(self) -> bool:
        """Whether the loss is scaled, and `scale` says whether a step is taken."""
        return self._training.precision == "float16"

    @property
    def clips(self) -> bool:
        """Whether the gradient is clipped."""
        training = self._training
        ways = (training.gradient_clip_norm, training.gradient_clip_value, training.gradient_clip_percentile)
        return any(way is not None for way in ways)

    def write_report(self) -> None:
        """Write `report`, which ends the program where the run ended: as `training.recording.Recording` finds it."""
        flat = "torch.cat([weight.grad.flatten() for weight in network.parameters()])"
        norm = "gradient.norm()" if self._gradient_class else f"torch.linalg.vector_norm({flat})"
        also = "" if self.scales else ", or the norm of its gradient,"
        judged = ["if not loss.isfinite():"]
        if not self.scales:
            judged = [f"norm = {norm}", "if not (loss.isfinite() and norm.isfinite()):"]
        lines = [
            "def report(step: int, loss: Tensor) -> None:",
            f'    """Print a step\'s loss; end where it{also} is no longer finite."""',
            '    print(f"step {step} loss {loss.item()!r}")',
            *(f"    {line}" for line in judged),
            '        raise SystemExit("diverged")',
        ]
        self._page.code("\n".join(lines))

    def states(self) -> list[str]:
        """What there is before the first step."""
        weights, percentile = Name("list(network.parameters())"), self._training.gradient_clip_percentile
        lines: list[str] = []
        if self._compiles:
            lines.append("forward = torch.compile(network, dynamic=False)  # a program for each size of batch")
        if self._gradient_class:
            lines.append(self._page.line("gradient = ", Call(f"{_GRADIENT}.{self._gradient_class}", (weights,))))
        if self.scales:
            lines.append(self._page.line("scale = ", Call("training.loss_scale.LossScale")))
        if percentile is not None:
            like = Name("next(network.parameters())")
            lines.append(self._page.line("norms = ", Call(f"{_GRADIENT}.NormHistory", (percentile, like))))
        return lines

    def take(self) -> list[str]:
        """Loss and gradient of the step's rows."""
        plain = len(self._steps.optimizers) == 1 and (self._entry.target or "").startswith("torch.")
        clear = "gradient.clear()" if self._gradient_class else f"{'optimizer' if plain else 'network'}.zero_grad()"
        forward = "forward" if self._compiles else "network"
        unscale = ["gradient.multiply(1 / scale.factor)"] if self.scales else []
        if self._training.accumulate_batches == 1:
            return [clear, f"loss = criterion({forward}(x_train[batch]), y_train[batch])", self._backward, *unscale]
        return [
            clear,
            "counts, losses = [criterion.weigh(y_train[part]) for part in parts], []",
            "for part, count in zip(parts, counts, strict=True):",
            f"    loss = criterion({forward}(x_train[part]), y_train[part]) * (count / sum(counts))",
            f"    {self._backward}",
            "    losses.append(loss.detach())",
            *unscale,
            "loss = torch.stack(losses).sum()",
        ]

    def clip(self, limit: str) -> list[str]:
        """Clip the gradient.

        Args:
            limit: the expression of the longest that is let through, where that is a percentile of the norms.
        """
        training = self._training
        if training.gradient_clip_norm is not None:
            return [f"gradient.shorten(gradient.norm(), {training.gradient_clip_norm!r})"]
        if training.gradient_clip_percentile is not None:
            return ["norm = gradient.norm()", f"gradient.shorten(norm, {limit})"]
        if training.gradient_clip_value is not None:
            return [f"gradient.clamp({training.gradient_clip_value!r})"]
        return []

    @property
    def _compiles(self) -> bool:
        return self._training.engine == "compiled"

    @property
    def _backward(self) -> str:
        if self.scales:
            return "gradient.add(loss * scale.factor)"
        return "gradient.add(loss)" if self._entry.needs == "graph" else "loss.backward()"

    @property
    def _gradient_class(self) -> str | None:
        """The class of ours that holds the gradient, where it is more than what each weight holds."""
        if self._entry.needs == "graph":
            return "DifferentiableGradient"
        if not (self.clips or self.scales or self._entry.matrices_only):
            return None
        from_library = (self._entry.target or "").startswith("pytorch_optimizer.")
        return "LooseGradient" if from_library or self._entry.needs == "gradient_and_closure" else "Gradient"
