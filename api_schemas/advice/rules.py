"""The rules of advice by their codes.

A rule speaks up only where a beginner would be misled without it: a healthy job has no warnings.
"""

from __future__ import annotations

from api_schemas.advice import network, rates
from api_schemas.advice.prospect import Prospect, Rule
from api_schemas.advice.schemas import Advice

RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        network.softmax_before_cross_entropy,
        network.mse_on_softmax,
        network.features_not_standardised,
        network.batch_norm_small_batch,
        network.last_batch_of_one,
        network.tf32_without_cuda,
        network.too_few_steps,
        rates.lr_unusual,
        rates.adam_weight_decay,
        rates.adagrad_long_run,
        rates.no_decay_without_batch_norm,
        rates.warmup_longer_than_run,
        rates.schedule_longer_than_run,
    )
}
"""Each rule under its stable code, which is its own name."""


def advise(prospect: Prospect) -> list[Advice]:
    """What looks unwise in a spec that would run."""
    remarks = ((code, rule(prospect)) for code, rule in RULES.items())
    return [
        Advice(pointer=remark.pointer, code=code, message=remark.message, fix=[remark.fix])
        for code, remark in remarks
        if remark
    ]
