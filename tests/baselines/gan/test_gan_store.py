"""A generator's folder comes back as it was written, and nothing else is taken for one."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from viewsweep.baselines.gan.families import FAMILIES
from viewsweep.baselines.gan.store import load_generator, save_generator
from viewsweep.scenes.errors import UnreadableFile, UserError
from viewsweep.scenes.tabletop import CLASSES

from .gan_folders import RECORD, VIEWPOINT, random_generator, write_generator


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generator(tmp_path_factory.mktemp("eg3d") / "generator", "eg3d")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "generator"))


def change(folder: Path, **entries: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_it_comes_back_in_half_precision(tmp_path: Path, family: str) -> None:
    made = random_generator(family)
    stored = load_generator(write_generator(tmp_path / "g", family, made), family)
    for name, value in made.state_dict().items():
        held = stored.generator.state_dict()[name]
        assert held.dtype == value.dtype
        assert torch.equal(held, value.half().to(value.dtype) if value.is_floating_point() else value)
    assert (stored.family.name, stored.size, stored.classes) == (family, 16, CLASSES)
    assert stored.viewpoint == VIEWPOINT
    assert stored.sha256 == hashlib.sha256((tmp_path / "g" / "generator.safetensors").read_bytes()).hexdigest()
    assert not stored.generator.training
    assert not any(value.requires_grad for value in stored.generator.parameters())


def test_the_card_tells_what_it_is_made_of(whole: Path) -> None:
    card = (whole / "README.md").read_text()
    record = json.loads((whole / "training.json").read_text())
    assert card.startswith("---\ntags: [viewsweep, 3d-aware, gan]\n---\n\n# EG3D, configuration tiny\n")
    assert "viewsweep train eg3d --config tiny --out DIR" in card
    assert f"sha256 {record['files']['generator.safetensors']}" in card
    assert "(0.5000, 20 pictures)" in card
    assert "| betas | 0 0.99 |" in card
    assert "| swap |" not in card  # off


def test_weights_too_large_for_half_precision_are_not_stored(tmp_path: Path) -> None:
    made = random_generator("eg3d")
    with torch.no_grad():
        next(made.parameters()).fill_(1e6)
    with pytest.raises(UserError, match=r"does not fit half precision: it reaches 1e\+06"):
        save_generator(tmp_path, made, FAMILIES["eg3d"], VIEWPOINT, size=16, classes=CLASSES, record=RECORD)
    assert not (tmp_path / "config.json").exists()


def test_another_familys_generator_is_refused(folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_generator(folder, "pigan")
    assert str(caught.value) == (
        f"{folder}: this is a generator of EG3D, not of pi-GAN. "
        "Load it as eg3d, or give a folder that `viewsweep train pigan` wrote."
    )


class Bomb:
    """Runs when it is un-pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("the pickle was opened",))


@pytest.mark.parametrize("where", ["the file", "its folder"])
def test_a_pickle_is_not_opened(tmp_path: Path, where: str) -> None:
    path = tmp_path / "ffhq512-128.pkl"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError) as caught:
        load_generator(path if where == "the file" else tmp_path)
    assert str(caught.value) == (
        f"{path}: this file may be a pickle, which can run any program when it is opened, so it is not. A method is a "
        "folder that `viewsweep train` wrote. The tensors of a published pickle are taken out by `viewsweep convert "
        f"FAMILY {path} --out DIR --trust-pickle`, under their authors' names, for an adapter of your own."
    )


@pytest.mark.parametrize("named", ["out", "out/checkpoint.pt"])
def test_the_folder_of_a_whole_training_points_to_its_generator(whole: Path, tmp_path: Path, named: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("checkpoint.pt", "losses.csv"):
        (out / name).write_bytes(b"")
    with pytest.raises(UserError) as caught:
        load_generator(tmp_path / named)
    assert str(caught.value) == (
        f"{out}: this training has written no generator yet. "
        f"The same `viewsweep train` command goes on with it; then give {out / 'generator'}."
    )
    shutil.copytree(whole, out / "generator")
    with pytest.raises(UserError) as caught:
        load_generator(tmp_path / named)
    assert str(caught.value) == (
        f"{out}: this is the folder of a whole training. Give its generator, {out / 'generator'}."
    )


def test_a_folder_without_a_generator_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            UserError, match=r"there is no config\.json, so this is no folder of a trained generator\. "
        ):
            load_generator(path)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        pytest.param(lambda w: w.pop("decoder.output.bias"), "decoder.output.bias is missing", id="missing"),
        pytest.param(lambda w: w.update(extra=torch.zeros(1)), "extra is left over", id="left over"),
        pytest.param(
            lambda w: w.update({f"extra{i}": torch.zeros(1) for i in range(5)}),
            "extra0, extra1, extra2 and 2 more are left over",
            id="many left over",
        ),
        pytest.param(
            lambda w: w.update({"mapping.mean": torch.zeros(3)}),
            "mapping.mean has shape [3]; the configuration makes it [16].",
            id="shape",
        ),
        pytest.param(
            lambda w: w["mapping.mean"].fill_(torch.nan), "mapping.mean holds numbers that are not finite", id="NaN"
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(folder: Path, edit: Any, complaint: str) -> None:
    path = folder / "generator.safetensors"
    weights = load_file(path)
    edit(weights)
    save_file(weights, path)
    with pytest.raises(UnreadableFile) as caught:
        load_generator(folder)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "gone"])
def test_damaged_weights_are_refused(folder: Path, damage: str) -> None:
    path = folder / "generator.safetensors"
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"weights\n" * 20}[damage])
    with pytest.raises(UnreadableFile, match=r"generator\.safetensors: not a readable weight file"):
        load_generator(folder)


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ({"schema": "viewsweep.gan/9"}, "not the configuration of a GAN of this version (viewsweep.gan/1)."),
        ({"family": "stylegan"}, "the family 'stylegan' is not known here; known are pigan, eg3d, epigraf."),
        ({"family": "pigan"}, "not the configuration of a generator of pi-GAN (TypeError: "),
        ({"settings": {}}, "not the configuration of a generator of EG3D (TypeError: "),
        ({"cameras": {"radius": 1.0}}, "not the configuration of a generator of EG3D (KeyError: "),
        ({"classes": ["one"]}, "it names 1 classes, its generator has 10."),
    ],
)
def test_configurations_that_make_no_sense_are_refused(folder: Path, entries: dict[str, Any], complaint: str) -> None:
    change(folder, **entries)
    with pytest.raises(UnreadableFile) as caught:
        load_generator(folder)
    assert str(caught.value).startswith(f"{folder}/config.json: {complaint}")


@pytest.mark.parametrize(
    ("family", "setting", "typo", "meant"),
    [
        ("eg3d", "planes", "offical", "official"),
        ("eg3d", "background", "learnd", "learned"),
        ("epigraf", "background", "learnd", "learned"),
        ("epigraf", "activation", "softpls", "softplus"),
        ("pigan", "background", "learnd", "learned"),
        ("pigan", "activation", "softpls", "softplus"),
        ("pigan", "placement", "cel", "cell"),
    ],
)
def test_a_word_no_network_knows_is_refused_when_loading(
    tmp_path: Path, family: str, setting: str, typo: str, meant: str
) -> None:
    folder = write_generator(tmp_path / "generator", family)
    settings = json.loads((folder / "config.json").read_text())["settings"]
    change(folder, settings=settings | {setting: typo})
    with pytest.raises(UnreadableFile, match=rf"config\.json: There is no .* named '{typo}'\. Did you mean {meant}"):
        load_generator(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_damaged_configuration_is_refused(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"config\.json: not "):
        load_generator(folder)
