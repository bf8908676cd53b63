"""What a process switches on before a run on a device, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch

from training.device import allow_tf32, exact_products, random_state, set_random_state
from training.events import Evaluation


@pytest.fixture
def switches():
    """Reads torch's switches; puts them back."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    def read():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    yield read
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


def test_float32_is_float32_on_cuda_and_tf32_only_where_asked_for(switches):
    allow_tf32(torch.device("cuda"), True)
    assert switches() == (True, True)
    allow_tf32(torch.device("cuda"), False)
    assert switches() == (False, False)  # torch's own default has it for convolutions


def test_torchs_compiler_can_read_the_switches(switches):
    """It asks by the older of two interfaces, and one that was set by the newer is an error to it."""
    for allowed in (True, False):
        allow_tf32(torch.device("cuda"), allowed)
        assert torch.get_float32_matmul_precision() == ("high" if allowed else "highest")
        assert torch.backends.cuda.matmul.fp32_precision == ("tf32" if allowed else "ieee")


def test_a_network_is_judged_without_tf32_and_trains_on_with_it(switches):
    allow_tf32(torch.device("cuda"), True)
    with exact_products(torch.device("cuda")):
        assert switches() == (False, False)
    assert switches() == (True, True)


def test_on_a_processor_tf32_is_float32_to_the_last_bit(make_run, switches):
    before, told = switches(), []
    for precision in ("float32", "tf32"):
        run = make_run(training={"precision": precision, "epochs": 2})
        told.append([event for event in run.events() if isinstance(event, Evaluation)])
    assert told[0] == told[1]
    assert switches() == before


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps"])
def test_random_numbers_go_on_where_they_were_left(kind):
    if kind != "cpu" and not getattr(torch, kind).is_available():
        pytest.skip(f"this machine has no {kind}")
    device = torch.device(kind)
    state = random_state(device)
    drawn = torch.rand(5, device=device)
    set_random_state(state, device)
    assert torch.equal(torch.rand(5, device=device), drawn)
