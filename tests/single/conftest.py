from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny networks gain nothing by threads, and lose much where cores are busy."""
    if find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
