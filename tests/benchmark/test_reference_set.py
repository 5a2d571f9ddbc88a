"""Reference features: computed once, checked on reading, and never those of something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from viewsweep.benchmark.progress import Progress
from viewsweep.benchmark.protocol import Protocol
from viewsweep.benchmark.reference_set import cache_folder, reference_features, reference_key


class Ear(Progress):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, message: str) -> None:
        self.heard.append(message)


def test_features_are_computed_once(with_sets: Protocol, network: Any) -> None:
    ear = Ear()
    first = reference_features(with_sets, network, ear)
    second = reference_features(with_sets, network, ear)
    assert first is not None
    assert second is not None
    assert torch.equal(first.embedding, second.embedding)
    assert torch.equal(first.log_probabilities, second.log_probabilities)
    assert len(ear.heard) == 1


def test_damaged_entry_is_computed_anew(with_sets: Protocol, network: Any) -> None:
    ear = Ear()
    first = reference_features(with_sets, network, ear)
    (entry,) = (cache_folder() / "reference").iterdir()
    content = bytearray(entry.read_bytes())
    content[-3] ^= 1
    entry.write_bytes(content)
    second = reference_features(with_sets, network, ear)
    assert first is not None
    assert second is not None
    assert torch.equal(first.embedding, second.embedding)
    assert len(ear.heard) == 2


def test_cache_that_cannot_be_written_is_no_failure(
    with_sets: Protocol, network: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VIEWSWEEP_CACHE", str(tmp_path / "file" / "below"))
    ear = Ear()
    assert reference_features(with_sets, network, ear) is not None
    assert "not cached" in ear.heard[1]


@pytest.mark.parametrize(
    "change",
    [
        {"size": 24},
        {"reference": {"images": 21}},
        {"sweep": {"kind": "sweep360", "views": 4, "pitch_deg": 16}},
        {"scored": "last"},
        {"features": {"network": "tabletop", "sha256": "1" * 64}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_key_changes_with_everything_they_are_made_of(with_sets: Protocol, change: dict[str, Any]) -> None:
    other = Protocol.model_validate({**with_sets.content, **change})
    assert reference_key(other) != reference_key(with_sets)


def test_key_does_not_depend_on_the_number_of_scenes(with_sets: Protocol) -> None:
    assert reference_key(with_sets.with_scenes(7)) == reference_key(with_sets)


def test_protocol_without_a_reference_has_no_features(tiny: Protocol, network: Any) -> None:
    assert reference_features(tiny, network, Progress()) is None


def test_where_scenes_draw_their_view_reference_pictures_do_too(with_sets: Protocol, network: Any) -> None:
    sweep = {"kind": "random_view", "yaw_std": 0.3, "pitch_std": 0.15}
    drawn = Protocol.model_validate({**with_sets.content, "sweep": sweep, "scored": "last"})
    features = reference_features(drawn, network, Progress())
    assert features is not None
    assert len(features.azimuth_deg.unique()) == 20
    assert 5 < float(features.azimuth_deg.std()) < 30
    assert 2 < float(features.pitch_deg.std()) < 15
