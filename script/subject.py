"""What a script is written about: a job with everything that its run depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from api_schemas.catalog.datasets import NamedDatasetEntry
from api_schemas.catalog.layers import InputShape
from api_schemas.catalog.losses import LossEntry
from api_schemas.catalog.tokenizers import Text
from api_schemas.datasets import Column, Dataset, Upload
from api_schemas.jobs import Environment, Job, JobSpec, Plan
from api_schemas.plan import architecture, make_plan, output_width
from api_schemas.targets import feature_columns
from api_schemas.text import text_of


@dataclass(frozen=True)
class Subject:
    """A job's spec and plan, and its data's columns."""

    id: str
    name: str
    environment: Environment | None
    """Where it ran; None while it has not."""
    plan: Plan
    dataset: Dataset | None
    """The upload that it learns from; None for a dataset named by name."""

    @classmethod
    def of(cls, job: Job, dataset: Dataset | None) -> Subject:
        """A job and the upload that it names."""
        return cls(job.id, job.name, job.environment, make_plan(job.spec, dataset), dataset)

    @property
    def spec(self) -> JobSpec:
        """Every default filled in."""
        return self.plan.spec

    @property
    def loss(self) -> LossEntry:
        """What training makes small."""
        if self.spec.loss is None:
            raise TypeError("a plan has a loss")
        return self.spec.loss

    @property
    def named(self) -> NamedDatasetEntry | None:
        """The dataset that needs no upload, where it is such a one."""
        return None if isinstance(self.spec.dataset, Upload) else self.spec.dataset

    @property
    def text(self) -> Text | None:
        """What is known of the text that the network learns from; None where that is a table."""
        return text_of(self.spec, self.dataset)

    @property
    def features(self) -> list[Column]:
        """The columns of an upload that the network learns from."""
        if self.dataset is None:
            raise TypeError("a named dataset has no columns")
        return feature_columns(self.dataset, self.spec.target)

    @property
    def target(self) -> Column:
        """The column of an upload that is learned."""
        if self.dataset is None:
            raise TypeError("a named dataset has no columns")
        return next(column for column in self.dataset.columns if column.name == self.spec.target)

    @property
    def learns_target(self) -> bool:
        """Whether rows have a target; else what is learned is the row itself, or the next token of a text."""
        return self.spec.model.learns == "target"

    @property
    def classify(self) -> bool:
        """Whether the target holds classes."""
        return self.loss.task == "classification"

    @property
    def classes(self) -> int:
        """How many there are, of a text different tokens; 0 where the target is a number."""
        if self.text:
            return self.spec.preprocessing.text.vocabulary(self.text)
        if not self.classify:
            return 0
        return len(self.named.classes if self.named else self.target.stats.categories)

    @property
    def scales_target(self) -> bool:
        """Whether the network learns other numbers than the target's own."""
        entry = self.spec.preprocessing.target
        return self.learns_target and not self.classify and entry is not None and entry.target is not None

    @property
    def shape(self) -> InputShape:
        """What the network sees of a row."""
        return architecture(self.spec, self.dataset)[1]

    @property
    def outputs(self) -> int:
        """Width of the network's output."""
        return output_width(self.spec, self.shape, self.classes)

    @property
    def dtype(self) -> str:
        """The type of weights and data."""
        return f"torch.{self.spec.training.kept_in}"

    @property
    def device(self) -> Literal["cpu", "cuda", "mps"]:
        """Where it was, or is to be, trained."""
        if self.environment is None:
            asked = self.spec.resources.device
            return "cpu" if asked == "auto" else asked
        name = self.environment.device
        return "cpu" if name.startswith("cpu") else "mps" if name.startswith("mps") else "cuda"

    @property
    def on_gpu(self) -> bool:
        """Whether that is a GPU, to which everything has to be moved."""
        return self.device != "cpu"
