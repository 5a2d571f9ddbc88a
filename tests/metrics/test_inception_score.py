from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchmetrics.image.inception
from viewsweep.metrics import Features, InceptionScore, MetricResult, inception_score, jackknife_interval

Logs = npt.NDArray[np.float64]


def uncertain(count: int, classes: int = 10, seed: int = 0, sharpness: float = 2.0) -> Logs:
    scores = sharpness * np.random.default_rng(seed).normal(size=(count, classes))
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return logs.astype(np.float32).astype(np.float64)


def one_hot(count: int, classes: int = 10) -> Logs:
    with np.errstate(divide="ignore"):
        return np.log(np.eye(classes)[np.arange(count) % classes])


def score(logs: Logs, scenes: torch.Tensor | None = None, splits: int | None = None) -> MetricResult:
    metric = InceptionScore(splits=splits)
    metric.update(Features(torch.zeros(len(logs), 1), torch.from_numpy(logs).float()), index=scenes)
    return metric.results()["is[tabletop]"]


def test_pictures_of_no_class_score_one() -> None:
    assert score(np.full((50, 10), -np.log(10.0))).value == pytest.approx(1.0, abs=1e-6)


def test_pictures_all_of_one_class_score_one() -> None:
    assert score(one_hot(1).repeat(30, 0)).value == 1.0


def test_certain_pictures_of_all_classes_score_their_number() -> None:
    assert score(one_hot(200)).value == pytest.approx(10.0, rel=1e-12)


def test_small_splits_bias_the_score_low() -> None:
    assert score(one_hot(200), splits=20).value < 7.5  # type: ignore[operator]


@pytest.mark.parametrize("splits", [1, 3, 10])
def test_fast_equals_loops(splits: int) -> None:
    logs = uncertain(64)
    assert inception_score(logs, splits=splits) == pytest.approx(_naive(logs, splits), rel=1e-12)


def test_splits_follow_the_number_of_pictures() -> None:
    few, many = uncertain(300), uncertain(5000)
    assert score(few).value == score(few, splits=1).value
    assert score(many).value == score(many, splits=10).value != score(many, splits=1).value


def test_score_grows_with_certainty() -> None:
    values = [score(uncertain(300, sharpness=sharpness)).value for sharpness in (0.0, 1.0, 3.0, 9.0)]
    assert values == sorted(values)  # type: ignore[type-var]


@pytest.mark.parametrize("splits", [1, 4])
def test_jackknife_leaves_out_what_it_says(splits: int) -> None:
    logs, scenes = uncertain(40), torch.arange(8).repeat_interleave(5)
    found = score(logs, scenes, splits)
    if splits == 1:
        deleted = [float(score(logs[(scenes != scene).numpy()]).value or 0) for scene in range(8)]
        expected = jackknife_interval(float(found.value or 0), deleted, [1] * 8, bounds=(1.0, float("inf")))
        assert (found.ci_low, found.ci_high) == pytest.approx(expected, rel=1e-9)
    assert found.ci_low < found.value < found.ci_high  # type: ignore[operator]


def test_too_many_splits_are_refused() -> None:
    assert score(uncertain(5), splits=6).reason == "5 pictures cannot be cut into 6 splits."
    with pytest.raises(ValueError, match="splits is 0"):
        InceptionScore(splits=0)
    with pytest.raises(ValueError, match="at least one row a split"):
        inception_score(uncertain(5), splits=6)


def test_reference_pictures_play_no_part() -> None:
    metric = InceptionScore()
    part = Features(torch.zeros(9, 1), torch.from_numpy(uncertain(9)).float())
    metric.update(part, real=True)
    assert metric.results()["is[tabletop]"].status == "not_run"


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save:UserWarning")
@pytest.mark.parametrize("splits", [1, 10])
def test_score_is_torchmetrics(splits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = 3 * np.random.default_rng(7).normal(size=(640, 12))
    theirs = torchmetrics.image.inception.InceptionScore(feature=torch.nn.Identity(), splits=splits)
    theirs.update(torch.from_numpy(scores))
    shuffled = torch.from_numpy(np.random.RandomState(2020).permutation(640))
    monkeypatch.setattr(torch, "randperm", lambda count: shuffled[:count])  # theirs is without a seed
    ours = inception_score(torch.from_numpy(scores).log_softmax(1).numpy(), splits=splits)
    if splits == 1:
        with pytest.warns(UserWarning, match="std"):  # of one split
            expected = float(theirs.compute()[0])
    else:
        expected = float(theirs.compute()[0])
    assert ours == pytest.approx(expected, rel=1e-5)


def test_scores_that_are_no_logarithms_are_refused() -> None:
    with pytest.raises(ValueError, match="log-softmax first"):
        inception_score(np.ones((20, 3)))


def _naive(logs: Logs, splits: int) -> float:
    shuffled = np.exp(logs[np.random.RandomState(2020).permutation(len(logs))])
    scores = []
    for k in range(splits):
        part = shuffled[k * len(logs) // splits : (k + 1) * len(logs) // splits]
        marginal = part.mean(0)
        scores.append(np.exp(np.mean([(p * (np.log(p) - np.log(marginal))).sum() for p in part])))
    return float(np.mean(scores))


def test_a_network_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="a network without classes has no Inception Score"):
        InceptionScore().update(Features(torch.zeros(5, 3), torch.zeros(5, 0)))
