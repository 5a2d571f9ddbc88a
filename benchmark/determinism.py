"""Settings of torch under which the same input gives the same bits on one machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["EVALUATION_THREADS", "deterministic"]

EVALUATION_THREADS = 1
"""Sums are split by thread, so scores are computed with the same number everywhere.

One, because the pieces of work are small: on a busy machine threads spend longer waiting for each
other than computing.
"""


@contextmanager
def deterministic(threads: int | None = None) -> Iterator[None]:
    """Within the body: deterministic kernels, no TF32, no autotuning; then everything as before.

    Args:
        threads: threads inside an operation; None leaves the number alone.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
        cudnn.allow_tf32,
        matmul.allow_tf32,
    )
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        cudnn.deterministic, cudnn.benchmark = True, False
        cudnn.allow_tf32 = matmul.allow_tf32 = False
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        cudnn.deterministic, cudnn.benchmark = before[3], before[4]
        cudnn.allow_tf32, matmul.allow_tf32 = before[5], before[6]
