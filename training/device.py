"""What makes a run's numbers depend on nothing but its spec: random state and deterministic kernels."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor


def make_deterministic(device: torch.device) -> None:
    """Choose kernels that give the same bits every time; on the CPU they do so anyway, at one thread count."""
    if device.type == "cuda":
        # cuBLAS reads it when its first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def allow_tf32(device: torch.device, allowed: bool) -> None:
    """Whether a CUDA device multiplies float32 matrices in TensorFloat-32, of 10 bits of fraction in place of 23.

    By itself torch does so in convolutions and recurrent layers, and not in other products. Elsewhere than on CUDA this
    changes nothing, and float32 is float32.
    """
    if device.type == "cuda":
        # The older of torch's two interfaces: its compiler still reads it, and takes a mix of both for an error.
        torch.set_float32_matmul_precision("high" if allowed else "highest")
        torch.backends.cudnn.allow_tf32 = allowed


@contextmanager
def exact_products(device: torch.device) -> Generator[None]:
    """Within it nothing is multiplied in TF32: how a network is judged is how it will be served."""
    allowed = torch.backends.cudnn.allow_tf32
    allow_tf32(device, False)
    try:
        yield
    finally:
        allow_tf32(device, allowed)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The state of torch's generators that a run on this device draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Go on drawing from where `random_state` was taken."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state["mps"])
