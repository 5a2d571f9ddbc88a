from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor
from viewsweep.metrics import FeatureNetwork, Features, extract


class Moments:
    """A network small enough to read: mean colour for features, its softmax for classes."""

    name, sha256, classes = "moments", "0" * 64, ("red", "green", "blue")

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, images: Tensor) -> Features:
        self.batches.append(len(images))
        colour = images.float().mean((1, 2)) / 255
        return Features(colour, torch.log_softmax(5 * colour, 1))


def pictures(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 8, 8, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_any_object_with_four_members_is_a_network() -> None:
    assert isinstance(Moments(), FeatureNetwork)


def test_batch_size_does_not_matter() -> None:
    network, images = Moments(), pictures(10)
    whole, parts = extract(network, images), extract(network, images, batch_size=3)
    assert network.batches == [10, 3, 3, 3, 1]
    torch.testing.assert_close(whole.embedding, parts.embedding)
    torch.testing.assert_close(whole.log_probabilities, parts.log_probabilities)


def test_features_are_ordinary_tensors() -> None:
    assert not extract(Moments(), pictures(3)).embedding.is_inference()


def test_rows_can_be_taken_and_joined() -> None:
    features = extract(Moments(), pictures(6))
    again = Features.cat([features[:2], features[2:]])
    assert len(again) == 6
    assert torch.equal(again.embedding, features.embedding)


@pytest.mark.parametrize(
    ("images", "batch_size", "message"),
    [
        (torch.zeros(2, 3, 8, 8), 4, "images are torch.float32 with shape [2, 3, 8, 8]"),
        (torch.zeros(0, 8, 8, 3, dtype=torch.uint8), 4, "0 images in batches of 4"),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8), 0, "2 images in batches of 0"),
    ],
)
def test_misuse_is_explained(images: Tensor, batch_size: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        extract(Moments(), images, batch_size)


def test_network_that_loses_rows_is_caught() -> None:
    class Lossy(Moments):
        def __call__(self, images: Tensor) -> Features:
            return super().__call__(images[1:])

    with pytest.raises(ValueError, match="moments returned 3 rows for 4 images"):
        extract(Lossy(), pictures(4))


@pytest.mark.parametrize(
    ("embedding", "logs", "message"),
    [
        (torch.zeros(3), torch.zeros(3, 2), "Features are two matrices"),
        (torch.zeros(3, 4), torch.zeros(2, 2), "one row a picture"),
        (torch.tensor([[0.0], [float("nan")]]), torch.zeros(2, 2), "embedding of picture 1 is not finite"),
        (torch.zeros(1, 2), torch.tensor([[0.5, 0.5]]), "at most 0"),
    ],
)
def test_features_that_make_no_sense_are_refused(embedding: Tensor, logs: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Features(embedding, logs)
