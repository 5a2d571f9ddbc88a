"""`ivid-paper`: where its folder is looked for, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from viewsweep.baselines.ivid.convert import convert
from viewsweep.baselines.ivid.paper import EVALUATION, paper_folder
from viewsweep.benchmark.registry import find_method, load_method
from viewsweep.scenes import sweep360
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.generator import Generator, Request

from .test_convert import SIZE, TINY, checkpoint


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VIEWSWEEP_IVID_PAPER", raising=False)
    monkeypatch.setenv("VIEWSWEEP_CACHE", str(tmp_path / "cache"))


def test_folder_is_the_one_named_then_the_caches_then_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VIEWSWEEP_IVID_PAPER", str(tmp_path / "named"))
    assert paper_folder() == tmp_path / "named"
    monkeypatch.setenv("VIEWSWEEP_IVID_PAPER", "")
    assert paper_folder() == tmp_path / "cache" / "ivid-paper"
    monkeypatch.setenv("VIEWSWEEP_CACHE", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert paper_folder().name == "ivid-paper"
    assert "viewsweep" in str(paper_folder().parent)


def test_absent_weights_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_method("ivid-paper")
    folder = tmp_path / "cache" / "ivid-paper"
    assert str(caught.value) == (
        f"{folder}: ivid-paper needs the authors' weights, which are not shipped. Download imagenet128_uncond.pt and "
        "imagenet128_cond.pt from the model repository JeffreyXiang/ivid on Hugging Face, then run `viewsweep convert "
        f"ivid imagenet128_uncond.pt imagenet128_cond.pt --out {folder}`, or name another folder in "
        "VIEWSWEEP_IVID_PAPER."
    )


def test_half_converted_weights_ask_for_the_other_half(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "ivid-paper"
    folder.parent.mkdir()
    convert([checkpoint(tmp_path)], folder, log=lambda line: None)
    with pytest.raises(UserError, match=r"Download imagenet128_cond\.pt from .*convert ivid imagenet128_cond"):
        load_method("ivid-paper")


def test_converted_weights_are_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "ivid-paper"
    folder.parent.mkdir()
    convert([checkpoint(tmp_path, replace(TINY, inputs=n), f"{n}.pt") for n in (4, 10)], folder, size=SIZE, log=print)
    generator = load_method("ivid-paper")
    assert isinstance(generator, Generator)
    info = generator.info()
    assert (info.name, info.native_size) == ("ivid-paper", SIZE)
    assert info.classes == ("0", "1", "2", "3", "4")
    assert {name: info.details[name] for name in EVALUATION} == EVALUATION
    assert info.details["warp"] == "paper"
    generator.settings |= {"first_steps": 1, "next_steps": 1}
    (scene,) = generator.generate([Request(0, 7, sweep360(2), SIZE, 4)])
    assert scene.rgb.shape == (2, SIZE, SIZE, 3)


def test_changed_weights_are_noticed_by_loading_them() -> None:
    """The source alone says nothing of a folder the user brings."""
    assert find_method("ivid-paper").fingerprint() is None
    assert find_method("ivid-small").fingerprint() is not None
