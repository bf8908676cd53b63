"""What every optimizer is to a job."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from api_schemas.catalog.entry import Entry, OneOf

LearningRate = Annotated[float, Gt(0), Le(1000)]
Fraction = Annotated[float, Ge(0), Lt(1)]
NotNegative = Annotated[float, Ge(0), Le(1e6)]
Epsilon = Annotated[float, Gt(0), Le(1)]


class OptimizerEntry(Entry):
    """How a gradient becomes a step."""

    kind = "optimizers"
    form: ClassVar[Literal["fused", "foreach", "plain"]] = "plain"
    """The quickest form that its target has: one kernel for all weights (on the CPU too), one operation for all
    weights, or neither, in which case its target is told nothing."""
    needs: ClassVar[Literal["gradient", "graph", "closure", "gradient_and_closure"]] = "gradient"
    """What a step needs: the gradient; the gradient with the graph that it was computed by, to differentiate it again
    (`create_graph`); a closure that computes loss and gradient anew, as often as the step asks for it; or the gradient
    first and then the closure, for the gradient elsewhere."""
    one_group: ClassVar[bool] = False
    """Whether it treats all weights alike, so that no layer can have a learning rate or a decay of its own."""
    switches_mode: ClassVar[bool] = False
    """Whether weights are evaluated elsewhere than they are trained, so that its `eval()` and `train()` must be called
    around an evaluation."""
    matrices_only: ClassVar[bool] = False
    """Whether it takes matrices alone; its knob `companion` names the optimizer of all other weights."""
    matrices_flag: ClassVar[str] = ""
    """The key of a parameter group that tells its target whether the group holds matrices, where it asks."""
    sparse_only: ClassVar[bool] = False
    """Whether it takes sparse gradients alone."""
    takes_model: ClassVar[bool] = False
    """Whether its target takes the model instead of parameter groups."""
    float32_only: ClassVar[bool] = False
    """Whether it cannot train weights of another precision."""
    momentum_knob: ClassVar[Literal["momentum", "betas", ""]] = ""
    """Which knob a momentum schedule acts on; of `betas` the first."""

    @property
    def rate(self) -> float:
        """The learning rate that a schedule multiplies."""
        raise NotImplementedError

    @property
    def other_rate(self) -> float | None:
        """The learning rate of weights that are no matrices, where `matrices_flag` tells them apart."""
        return None

    @property
    def passes(self) -> int:
        """How often a step goes through the network, forward and back; fewer times where it ends early."""
        return 2 if self.needs in ("graph", "gradient_and_closure") else 1

    @property
    def innermost(self) -> OptimizerEntry:
        """The optimizer whose knobs the parameter groups hold: itself, or the one that it stands around."""
        return self

    def knobs(self) -> dict[str, Any]:
        """As of every entry, without other optimizers: they stand beside or within this one."""
        return {key: value for key, value in super().knobs().items() if not isinstance(value, OptimizerEntry)}


class PlainOptimizerEntry(OptimizerEntry):
    """An optimizer that stands alone; others wrap one of these."""

    usual_lr: ClassVar[tuple[float, float]]
    """Between which learning rates it is usual; where it says nothing else, a hundred times around its default."""

    lr: LearningRate
    """Learning rate, the factor that a schedule multiplies. Too high diverges, too low never arrives."""

    @property
    def rate(self) -> float:
        return self.lr

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        rate = cls.model_fields["lr"].default
        if isinstance(rate, float) and not hasattr(cls, "usual_lr"):
            cls.usual_lr = (rate / 100, rate * 100)


Optimizer = Annotated[OptimizerEntry, OneOf(OptimizerEntry)]
PlainOptimizer = Annotated[PlainOptimizerEntry, OneOf(PlainOptimizerEntry)]
