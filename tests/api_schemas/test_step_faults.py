"""What a job cannot ask of its optimizer, and how it is told."""

import pytest
from pydantic import ValidationError

from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan

LINEAR = [{"name": "linear", "final": 0.5}]


def plan(**job):
    return make_plan(JobSpec.model_validate({"dataset": {"name": "iris"}, **job}), None)


def faults(**job):
    with pytest.raises(InvalidRequest) as refused:
        plan(**job)
    return refused.value.faults


@pytest.mark.parametrize(
    ("optimizer", "field", "message"),
    [
        ({"name": "adagrad"}, "momentum_schedule", "'adagrad' has no momentum to schedule"),
        ({"name": "sgd"}, "momentum_schedule", "'sgd' has momentum 0 here, and every factor leaves it 0"),
        ({"name": "adam"}, "weight_decay_schedule", "'adam' has weight_decay 0 here, and every factor leaves it 0"),
        ({"name": "lbfgs"}, "weight_decay_schedule", "'lbfgs' has no weight_decay to schedule"),
        ({"name": "lookahead", "base": {"name": "sgd"}}, "momentum_schedule", "'sgd' has momentum 0 here"),
    ],
)
def test_what_is_not_there_cannot_be_scheduled(optimizer, field, message):
    (fault,) = faults(optimizer=optimizer, **{field: LINEAR})
    assert (fault.pointer, fault.code) == (f"/{field}", "nothing_to_schedule")
    assert message in fault.message


def test_a_momentum_that_would_reach_one_is_refused_with_the_bound():
    rising = [{"name": "linear", "initial": 1.0, "final": 1.2}]
    (fault,) = faults(optimizer={"name": "sgd", "momentum": 0.9}, momentum_schedule=rising)
    assert (fault.pointer, fault.code) == ("/momentum_schedule", "momentum_too_high")
    assert "below 1.111" in fault.message
    plan(optimizer={"name": "sgd", "momentum": 0.8}, momentum_schedule=rising)
    (fault,) = faults(optimizer={"name": "muon", "momentum": 0.5}, momentum_schedule=rising)  # AdamW's is 0.9
    assert "takes the momentum 0.9 to 1.08" in fault.message


@pytest.mark.parametrize("name", ["lbfgs", "sam", "adahessian"])
def test_an_optimizer_that_needs_more_than_a_gradient_is_refused_a_scaled_loss(name):
    (fault,) = faults(optimizer={"name": name}, training={"precision": "float16"})
    assert (fault.pointer, fault.code) == ("/training/precision", "needs_unscaled_loss")
    assert "use 'bfloat16'" in fault.message
    plan(optimizer={"name": name}, training={"precision": "bfloat16"})


def test_apples_gpus_are_refused_float64():
    (fault,) = faults(training={"precision": "float64"}, resources={"device": "mps"})
    assert (fault.pointer, fault.code) == ("/training/precision", "no_float64")
    plan(training={"precision": "float64"}, resources={"device": "auto"})


def test_a_compiled_network_has_no_second_derivatives():
    (fault,) = faults(optimizer={"name": "adahessian"}, training={"engine": "compiled"})
    assert (fault.pointer, fault.code) == ("/training/engine", "needs_second_derivatives")
    plan(optimizer={"name": "sam"}, training={"engine": "compiled"})


def test_a_compiled_network_is_not_told_what_to_compute_again():
    (fault,) = faults(training={"engine": "compiled", "activation_checkpointing": True})
    assert (fault.pointer, fault.code) == ("/training/activation_checkpointing", "compiler_decides")


def test_an_optimizer_that_treats_all_weights_alike_takes_no_rates_for_layers():
    training = {"layer_rates": {"0.*": 0.1}, "decay_norms_and_biases": False}
    assert [fault.pointer for fault in faults(optimizer={"name": "lbfgs"}, training=training)] == [
        "/training/layer_rates",
        "/training/decay_norms_and_biases",
    ]


def test_a_pattern_that_no_weight_has_is_refused_with_the_nearest_names():
    (fault,) = faults(model={"name": "linear"}, training={"layer_rates": {"0.weigth": 0.1, "*.bias": 2.0, "a/b": 1.0}})[
        :1
    ]
    assert (fault.pointer, fault.code) == ("/training/layer_rates/0.weigth", "unknown_weight")
    assert "did you mean '0.weight'" in fault.message
    assert faults(training={"layer_rates": {"a/b": 1.0}})[0].pointer == "/training/layer_rates/a~1b"


def test_an_optimizer_that_trains_in_float32_alone_says_so():
    (fault,) = faults(optimizer={"name": "fadam"}, training={"precision": "float64"})
    assert (fault.pointer, fault.code) == ("/training/precision", "float32_only")
    plan(optimizer={"name": "fadam"})


def test_an_average_that_would_never_begin_is_refused():
    (fault,) = faults(training={"epochs": 5, "averaging": {"name": "swa", "every": 6}})
    assert (fault.pointer, fault.code) == ("/training/averaging", "never_averages")
    plan(training={"epochs": 6, "averaging": {"name": "swa", "every": 6}})


def test_weights_are_averaged_once():
    (fault,) = faults(optimizer={"name": "schedulefreesgd"}, training={"averaging": {"name": "ema"}})
    assert (fault.pointer, fault.code) == ("/training/averaging", "averages_already")


def test_a_gradient_is_clipped_in_one_way():
    with pytest.raises(ValidationError, match="give only one of gradient_clip_norm and gradient_clip_percentile"):
        plan(training={"gradient_clip_norm": 1.0, "gradient_clip_percentile": 10})


def test_each_schedule_may_leave_only_its_last_piece_open():
    with pytest.raises(ValidationError, match=r"momentum_schedule\n.*only the last piece may leave its length open"):
        plan(momentum_schedule=[{"name": "constant"}, {"name": "linear"}])


@pytest.mark.parametrize(
    ("batch_size", "accumulate_batches", "drop_last", "steps_per_epoch"),
    [(16, 1, False, 8), (16, 3, False, 3), (16, 3, True, 3), (50, 2, True, 1), (50, 2, False, 2), (30, 1000, False, 1)],
)
def test_a_step_is_as_many_batches_as_asked(batch_size, accumulate_batches, drop_last, steps_per_epoch):
    training = {
        "epochs": 4,
        "batch_size": batch_size,
        "accumulate_batches": accumulate_batches,
        "drop_last": drop_last,
    }
    made = plan(training=training)  # 120 training rows
    assert (made.steps_per_epoch, made.total_steps) == (steps_per_epoch, 4 * steps_per_epoch)
