"""A folder of scripts whose outputs are compared with the runs that they repeat."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)
