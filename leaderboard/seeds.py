"""The seeds of a protocol's scenes: they follow from the protocol alone, and an entry names them by one hash."""

from __future__ import annotations

from collections.abc import Iterable

from ..benchmark.completion import sample_seed
from ..benchmark.fingerprint import sha256_bytes
from ..benchmark.protocol import Protocol
from ..benchmark.true_scenes import outlines

__all__ = ["protocol_seeds", "seeds_sha256"]


def protocol_seeds(protocol: Protocol) -> list[int]:
    """The seed of each request, in order of its index; of a completion one for each sample."""
    if protocol.sequences is None:
        return [request.seed for request in outlines(protocol.requests())]
    return [
        sample_seed(scene, sample)  # a video's seed is its number, so the videos need not be at hand
        for scene in range(protocol.scenes)
        for sample in range(protocol.samples)
    ]


def seeds_sha256(seeds: Iterable[int]) -> str:
    """sha256 of the seeds as decimal numbers, each followed by a newline."""
    return sha256_bytes("".join(f"{seed}\n" for seed in seeds).encode())
