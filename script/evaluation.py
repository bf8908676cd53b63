"""The part of a script that judges the network."""

from __future__ import annotations

from api_schemas.catalog.call import Name
from script.page import Page
from script.subject import Subject
from script.text import names_in, source

_CHUNK_ROWS = 16_384
"""As in `training.evaluation`: how many rows go through a network at once decides how matrix kernels round."""


def write_evaluation(page: Page, subject: Subject) -> None:
    """Write `evaluate`, from rows to their loss and metrics."""
    if not subject.plan.validation_rows and not subject.plan.test_rows:
        return
    page.heading("Evaluation")
    page.imports.module("numpy", "np")
    page.imports.name("torch", "Tensor")
    page.imports.name("torch", "nn")
    page.code(
        "\n".join(
            [
                "@torch.inference_mode()",
                "def evaluate(model: nn.Module, x: Tensor, y: Tensor, targets: np.ndarray) -> dict[str, float]:",
                '    """Loss and metrics of some rows, in test mode: no dropout, no statistics of the batch."""',
                "    model.eval()",
                f"    scores = torch.cat([model(rows) for rows in x.split({_CHUNK_ROWS:_})])",
                "    model.train()",
                "    loss = criterion(scores, y).item()",
                *_measure(page, subject),
            ]
        )
    )


def _measure(page: Page, subject: Subject) -> list[str]:
    """The lines that compute the metrics, NaN where one is not defined on these rows."""
    metrics = {metric.key: metric.measure(subject.classes) for metric in subject.spec.metrics or []}
    if not metrics:
        return ['    return {"loss": loss}']
    page.imports.module("math")
    undefined = source({"loss": Name("loss"), **dict.fromkeys(metrics, Name("math.nan"))}, str, 15, 2)
    return [
        *_predict(subject, names_in(list(metrics.values()))),
        f"    if not np.isfinite({'probabilities' if subject.classify else 'predictions'}).all():",
        f"        return {undefined}",
        page.line("    metrics = ", metrics),
        "    defined = {key: float(value) if math.isfinite(value) else math.nan for key, value in metrics.items()}",
        '    return {"loss": loss, **defined}',
    ]


def _predict(subject: Subject, wanted: set[str]) -> list[str]:
    """The lines that turn scores into what metrics are computed from, in float64."""
    predicted = 'criterion.predict(scores.to("cpu", torch.float64)).numpy()'
    if subject.classify:
        named = ["    predictions = probabilities.argmax(axis=1)"] if "predictions" in wanted else []
        return [f"    probabilities = {predicted}", *named]
    if subject.scales_target:
        return [f"    learned = {predicted}", "    predictions = target_scaling.inverse(learned[:, None])[:, 0]"]
    return [f"    predictions = {predicted}"]
