"""Jobs: what to train, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from api_schemas.advice import Advice
from api_schemas.base import Label, Reply, Schema, Slug, Time
from api_schemas.catalog.averaging import Averaging
from api_schemas.catalog.losses import Loss
from api_schemas.catalog.metrics import Better, Metric
from api_schemas.catalog.models import Mlp, Model
from api_schemas.catalog.optimizers import Optimizer
from api_schemas.catalog.optimizers_adam import Adam
from api_schemas.catalog.preprocessing import Encoding, OneHot, Preprocessing, Standard
from api_schemas.catalog.schedule_plateau import ValidationMetric
from api_schemas.catalog.schedules import Constant, Schedule
from api_schemas.catalog.tokenizers import CharactersTokenizer, Tokenizer
from api_schemas.datasets import DatasetReference, Split

JobState = Literal["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"]
TERMINAL: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})
"""End states; a job never leaves one."""
HELD: frozenset[JobState] = frozenset({"running", "pausing", "cancelling"})
"""States in which a worker holds the job under a lease."""

LayerRates = Annotated[
    dict[Annotated[str, StringConstraints(min_length=1, max_length=200)], Annotated[float, Ge(0), Le(1000)]],
    MaxLen(100),
]

Tags = Annotated[dict[Label, Annotated[str, StringConstraints(max_length=200)]], MaxLen(50)]


class PreprocessingSpec(Schema):
    """What is done to the columns before the network sees them, fitted on the training rows only."""

    numeric: Preprocessing = Standard()
    """For columns of numbers."""
    categorical: Encoding = OneHot()
    """For columns of categories."""
    text: Tokenizer = CharactersTokenizer()
    """For text: what its tokens are."""
    target: Preprocessing | None = None
    """For a target that is a number; predictions and metrics are in the target's own units again. By default
    `standard`, and `none` where the loss takes counts."""


class EarlyStopping(Schema):
    """Ends a run that no longer gets better."""

    metric: ValidationMetric = "val/loss"
    """What is watched: `val/loss`, or `val/` and the key of one of the job's metrics."""
    patience: Annotated[int, Ge(1), Le(100_000)] = 5
    """How many evaluations may pass without a new best."""
    min_delta: Annotated[float, Ge(0), Le(1e6)] = 0.0
    """By how much a new best has to be better."""


class Training(Schema):
    """How the run goes."""

    epochs: Annotated[int, Ge(1), Le(1_000_000)] = 30
    """How often every training row is seen."""
    batch_size: Annotated[int, Ge(1), Le(1_000_000)] = 64
    """Rows that go through the network at once. Of fewer training rows the default is all."""
    accumulate_batches: Annotated[int, Ge(1), Le(10_000)] = 1
    """Batches a step: loss and gradient are the mean over the rows of all of them, so memory is that of one batch. The
    last step of an epoch has what is left."""
    drop_last: bool = False
    """Leave out the rows of an epoch that do not fill a batch."""
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] = 0
    """Decides the initial weights, the order of the rows and the dropout; the same seed gives the same curve."""
    gradient_clip_norm: Annotated[float, Gt(0), Le(1e6)] | None = None
    """Longest gradient that is let through; a longer one is shortened to this."""
    gradient_clip_value: Annotated[float, Gt(0), Le(1e6)] | None = None
    """Largest element of the gradient that is let through; each is brought between this and its negative."""
    gradient_clip_percentile: Annotated[float, Gt(0), Le(100)] | None = None
    """Shortens the gradient to this percentile of the last 1,000 steps' norms (AutoClip, Seetharaman et al. 2020); 10
    is usual."""
    decay_norms_and_biases: bool = True
    """Whether weight decay also acts on biases and on the scales of normalizations, which is on every weight that has
    one dimension only."""
    layer_rates: LayerRates = {}
    """Factors of the learning rate by weight name, such as `{"0.*": 0.1}`; `*` stands for any characters. The first
    pattern that matches counts."""
    averaging: Averaging | None = None
    """Which average of the weights is judged and kept instead of the last ones."""
    precision: Literal["float32", "tf32", "bfloat16", "float16", "float64"] = "float32"
    """The numbers that a network is trained with. `tf32` multiplies the float32 matrices of a CUDA GPU with 10 bits of
    fraction in place of 23, several times as fast; elsewhere it is float32. `bfloat16` and `float16` are mixed
    precision: matrices are multiplied in 16 bits, about twice as fast on a GPU or a processor made for it and much
    slower on others, while weights, loss, metrics and predictions stay float32. `float16` has more digits and less
    range, for GPUs that are older than bfloat16: its loss is scaled, and a step whose gradient overflows is skipped."""
    engine: Literal["auto", "eager", "compiled"] = "auto"
    """How the steps are computed. `eager` takes the gradient by PyTorch's autograd, operation by operation. `auto` does
    without autograd where it knows the network's layers, with the same bits, several times as fast for a small network,
    and is eager elsewhere. `compiled` runs programs that the worker makes of the network with torch.compile, seconds to
    minutes for each size of batch, less where it has compiled the same network before: for long runs. Its numbers
    differ from eager's in the last digits, and dropout draws others. Evaluations and predictions are always eager."""
    activation_checkpointing: bool = False
    """Whether to keep only what enters every few layers and to compute the rest again for the gradient: memory of deep
    networks grows with the root of their depth, a step takes about a third longer, and no number changes."""
    early_stopping: EarlyStopping | None = None
    """Whether to end before the last epoch."""
    keep: Literal["last", "best"] = "last"
    """Which weights the model has, of which the test rows judge too: those after the last step, or those of the
    evaluation with the best `best_metric`. Choosing by validation rows makes their own best value look a little better
    than the model is; test rows do not."""
    best_metric: ValidationMetric | None = None
    """What says which weights are best: `val/loss`, or `val/` and the key of one of the job's metrics, the first of
    which is the default."""
    checkpoint_every_steps: Annotated[int, Ge(1), Le(10**9)] = 500
    """How much work a lost machine may cost at most."""
    evaluate_every_epochs: Annotated[int, Ge(1), Le(1_000_000)] = 1
    """How often the validation rows judge."""

    @property
    def kept_in(self) -> Literal["float32", "float64"]:
        """The numbers that weights and data are kept in."""
        return "float64" if self.precision == "float64" else "float32"

    @model_validator(mode="after")
    def _one_way_to_clip(self) -> Training:
        ways = ("gradient_clip_norm", "gradient_clip_value", "gradient_clip_percentile")
        given = [way for way in ways if getattr(self, way) is not None]
        if len(given) > 1:
            raise ValueError(f"a gradient is clipped in one way; give only one of {' and '.join(given)}")
        return self


WeightNames = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=200)]], MaxLen(100)]
"""Patterns over the names of weights, `*` for any characters."""


class Init(Schema):
    """Begin with the weights of a network that was trained before, instead of drawn ones."""

    job: Annotated[str, StringConstraints(max_length=64)]
    """A job of the project: one that has succeeded, or for a checkpoint one that has ended."""
    checkpoint: Literal["best", "last"] | None = None
    """Begin with a kept checkpoint in place of the model that came out, so also where none did: the best by
    `training.best_metric`, or the last. Its weights are those that an evaluation would have judged there."""
    weights: Annotated[WeightNames, MinLen(1)] = ["*"]
    """Which weights are taken, with their running statistics; the others are drawn. `["0.*", "2.*"]` takes two layers
    and leaves a last one of another width to be learned anew."""
    freeze: WeightNames = []
    """Which weights stay as they are: their learning rate is 0, as with `training.layer_rates`. Running statistics of
    a normalization still follow the data."""


class Resources(Schema):
    """Where the run goes and what it may use."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` takes a GPU where the worker has one that can train in the precision asked for; `mps` is Apple's."""
    queue: Slug = "default"
    """Only workers that serve this queue take the job."""
    priority: Annotated[int, Ge(-100), Le(100)] = 0
    """Higher runs first."""
    preemptible: bool = False
    """Whether it makes way for a job of higher priority that finds no free worker: it writes a checkpoint, waits, and
    goes on from there; what comes out is the same."""
    fuse: bool = True
    """Whether it may be trained together with other jobs of the same network and data, where that makes all of them
    faster; what comes out is the same."""
    max_seconds: Annotated[float, Gt(0), Le(2_592_000)] = 3600.0
    """Longest time one attempt may run."""
    max_silent_seconds: Annotated[float, Gt(0), Le(2_592_000)] = 600.0
    """Longest time in which an attempt may get no further, after which it is stuck and tried again. Preparing the data,
    compiling, a step and every 16,384 rows of an evaluation have to take less."""
    max_attempts: Annotated[int, Ge(1), Le(20)] = 3
    """How often it is tried when a worker or its process dies or is stuck."""
    out_of_memory: Literal["fail", "smaller_batch"] = "fail"
    """What follows where memory runs out: the end, or another try from the first step with smaller batches and more of
    them a step, so that a step sees the same rows. The job's spec changes with it, and the last digits of its numbers;
    batch normalization sees the smaller batches."""


class JobSpec(Schema):
    """A training job as data; everything but `dataset` has a default."""

    model_config = ConfigDict(defer_build=False)  # FastAPI does not take a body whose schema is not built

    name: Label = "untitled"
    """For people; need not be unique."""
    tags: Tags = {}
    """For finding it again: names and values of your own."""
    dataset: DatasetReference
    """What to learn from."""
    target: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    """The column to predict; an upload may know its own, a named dataset always does."""
    split: Split = Split()
    preprocessing: PreprocessingSpec = PreprocessingSpec()
    model: Model = Mlp()
    loss: Loss | None = None
    """What training makes small; by default cross-entropy for classes and mean squared error for numbers."""
    metrics: Annotated[list[Metric], MaxLen(20)] | None = None
    """What held-out rows are judged by beside the loss; by default accuracy for classes, r2 and mae for numbers."""
    init: Init | None = None
    """Which trained network to begin with; by default none."""
    optimizer: Optimizer = Adam()
    schedule: Schedule = [Constant()]
    """How the learning rate goes; pieces follow each other, the last one takes what is left."""
    momentum_schedule: Schedule | None = None
    """How the optimizer's momentum goes, or the first of its betas; factors as in `schedule`."""
    weight_decay_schedule: Schedule | None = None
    """How the optimizer's weight decay goes; factors as in `schedule`."""
    training: Training = Training()
    resources: Resources = Resources()


class Progress(Reply):
    """How far a run is."""

    step: int = 0
    """Optimizer steps done."""
    total_steps: int
    epoch: float = 0.0
    """Passes over the training rows done."""
    samples_per_second: float | None = None
    eta_seconds: float | None = None


class Transition(Reply):
    """A change of state."""

    state: JobState
    at: Time
    reason: str


class JobError(Reply):
    """Why a job failed."""

    code: Literal[
        "diverged",
        "bad_data",
        "cannot_compile",
        "out_of_memory",
        "crashed",
        "stuck",
        "timeout",
        "lost",
        "internal_error",
    ]
    message: str
    """What happened."""
    hint: str
    """What to do about it."""


class Summary(Reply):
    """A metric in two numbers."""

    last: float | None
    best: float | None
    """The largest or the smallest, as `better` says."""
    best_step: int | None
    better: Better = "lower"
    """Which way the metric improves."""


class Checkpoint(Reply):
    """A state of a run that is kept; the run can go on from the last."""

    object: Literal["checkpoint"] = "checkpoint"
    step: int
    """Optimizer steps done."""
    created_at: Time
    bytes: int
    sha256: str
    """Of the file."""
    metrics: dict[str, float | None] = {}
    """What the last evaluation up to this step said; null where a value was not finite."""
    best: bool = False
    """Whether no checkpoint of the run was better by `training.best_metric`."""
    last: bool = False
    """Whether the run would go on from here."""


class Environment(Reply):
    """What a run's exact numbers depend on beside the spec."""

    torch: str
    device: str
    """Such as `cpu` or the name of the GPU."""
    threads: int
    deterministic: bool
    """Whether the same spec on the same environment gives the same bits; not where the run began on another one."""


class Waiting(Reply):
    """Why a job has not started yet."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    ahead: int
    """How many jobs of its queue are taken before it, if none ends and none comes."""
    for_: Annotated[str, Field(alias="for")]
    """What has to come: a free worker, one with a GPU, the end of a job of the project, or the time of its next try."""


class Course(Reply):
    """A job but for its spec: what became of it."""

    id: str
    object: Literal["job"] = "job"
    version: int
    """Grows with every change; the ETag."""
    name: str
    tags: dict[str, str]
    state: JobState
    state_reason: str
    """One sentence on why it is in this state."""
    waiting: Waiting | None = None
    """What a queued job waits for, at most a second old; in answers to GET only."""
    terminal: bool
    """Whether the state is an end state, which never changes."""
    created_at: Time
    started_at: Time | None = None
    finished_at: Time | None = None
    attempt: int
    """How often a worker has taken it."""
    worker: str | None = None
    """Who has it now or had it last."""
    progress: Progress
    metrics: dict[str, Summary] = {}
    error: JobError | None = None
    parameters: int | None = None
    """How many numbers the network learns."""
    flops_per_step: int | None = None
    """Floating-point operations of a full step, forward and backward, of the network's matrices."""
    weights_sha256: str | None = None
    """Digest of the final weights; equal digests are equal networks."""
    environment: Environment | None = None
    warnings: list[Advice] = []
    """What looked unwise in the spec, and what to do about it."""
    transitions: list[Transition]


class Job(Course):
    """A job and what became of it."""

    spec: JobSpec
    """The whole spec, every default filled in."""


class Plan(Reply):
    """What a spec would do: the answer of `?validate_only=true`."""

    object: Literal["plan"] = "plan"
    spec: JobSpec
    """Every default filled in."""
    train_rows: int
    validation_rows: int
    test_rows: int
    steps_per_epoch: int
    total_steps: int
    parameters: int
    """How many numbers the network learns."""
    flops_per_step: int
    """Floating-point operations of a full step, forward and backward, of the network's matrices."""
    memory_bytes: int
    """Rough need of the trainer beyond PyTorch itself: data, weights, gradients, optimizer, activations."""
    seconds: float
    """Rough time on one CPU core."""
    warnings: list[Advice] = Field(default_factory=list[Advice])
    """What looks unwise, and what to do about it."""


class Event(Reply):
    """Something that happened to a job; `id` grows by one from event to event."""

    id: int
    type: Literal["state", "attempt", "evaluation", "checkpoint", "disk_full", "warning"]
    at: Time
    data: dict[str, str | int | float | None]
