"""The part of a script that judges the network."""

from __future__ import annotations

from api_schemas.catalog.call import Call, Name
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
    if subject.text:
        _judge_tokens(page, subject)
        return
    targets = ", targets: np.ndarray" if subject.learns_target else ""
    page.code(
        "\n".join(
            [
                "@torch.inference_mode()",
                f"def evaluate(model: nn.Module, x: Tensor, y: Tensor{targets}) -> dict[str, float]:",
                '    """Loss and metrics of some rows, in test mode: no dropout, no statistics of the batch."""',
                "    model.eval()",
                f"    scores = torch.cat([model(rows) for rows in x.split({_CHUNK_ROWS:_})])",
                "    model.train()",
                "    loss = criterion(scores, y).item()",
                *_measure(page, subject),
            ]
        )
    )


def _judge_tokens(page: Page, subject: Subject) -> None:
    """Write `evaluate` for windows of text, where every token is judged."""
    judge = Call("training.language.judge_tokens", tuple(Name(name) for name in ("model", "criterion", "x", "y")))
    page.code(
        "\n".join(
            [
                "def evaluate(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:",
                '    """Loss and metrics of some windows, in test mode: no dropout."""',
                "    model.eval()",
                page.line("    loss, predictions, likelihoods = ", judge),
                "    model.train()",
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
        *_predict(page, subject, names_in(list(metrics.values()))),
        f"    if not np.isfinite({_predicted(subject)}).all():",
        f"        return {undefined}",
        page.line("    metrics = ", metrics),
        "    defined = {key: float(value) if math.isfinite(value) else math.nan for key, value in metrics.items()}",
        '    return {"loss": loss, **defined}',
    ]


def _predicted(subject: Subject) -> str:
    """What has to be finite for a metric to be defined."""
    if subject.text:
        return "likelihoods"
    return "probabilities" if subject.classify else "predictions"


def _predict(page: Page, subject: Subject, wanted: set[str]) -> list[str]:
    """The lines that turn scores into what metrics are computed from, in float64."""
    if subject.text:
        lengths = ["    lengths = tokenizer.lengths[targets]"] if "lengths" in wanted else []
        return ["    targets = y.flatten().cpu().numpy()", *lengths] if {"targets", "lengths"} & wanted else []
    predicted = "criterion.predict(scores.cpu().double()).numpy()"
    if not subject.learns_target:
        numbers = Name("y.cpu().numpy()"), Name(predicted)
        return [page.line("    targets, predictions = ", Call("training.reconstruction.deviations", numbers))]
    if subject.classify:
        named = ["    predictions = probabilities.argmax(axis=1)"] if "predictions" in wanted else []
        if "likelihoods" in wanted:
            named.append("    likelihoods = probabilities[np.arange(len(targets)), targets]")
        return [f"    probabilities = {predicted}", *named]
    if subject.scales_target:
        return [f"    learned = {predicted}", "    predictions = target_scaling.inverse(learned[:, None])[:, 0]"]
    return [f"    predictions = {predicted}"]
