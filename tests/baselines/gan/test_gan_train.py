"""`viewsweep train pigan|eg3d|epigraf` from pictures to a generator's folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from viewsweep.baselines.gan import train as gan
from viewsweep.baselines.gan import training
from viewsweep.baselines.gan.base import GanGenerator
from viewsweep.baselines.gan.data import CameraPrior
from viewsweep.baselines.gan.families import FAMILIES, marching_of
from viewsweep.baselines.gan.folder_data import FolderPictures
from viewsweep.baselines.gan.method import GanMethod
from viewsweep.baselines.gan.recipes import RECIPES
from viewsweep.baselines.gan.store import load_generator
from viewsweep.baselines.gan.train import train
from viewsweep.scenes.cameras import Cameras
from viewsweep.scenes.converters import to_eg3d
from viewsweep.scenes.errors import InvalidCameras, UnknownName, UnreadableFile, UserError
from viewsweep.scenes.generator import Request
from viewsweep.scenes.sweeps import sweep360
from viewsweep.scenes.tabletop import CLASSES
from viewsweep.scenes.tabletop.dataset import prepare_views

SIDE = 16


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    recipe = RECIPES["eg3d"]["tiny"]
    prepare_views(folder, range(recipe.views), SIDE, frontal_share=recipe.frontal_share, log=lambda line: None)
    return folder


def write_pictures(folder: Path, count: int = 8, *, posed: bool = True, size: int = SIDE) -> Path:
    """Random pictures with EG3D's list of cameras."""
    random = np.random.default_rng(0)
    (folder / "00000").mkdir(parents=True)
    names = [f"00000/img{number:08d}.png" for number in range(count)]
    for name in names:
        Image.fromarray(random.integers(0, 255, (size, size, 3), dtype=np.uint8)).save(folder / name)
    if posed:
        cameras = Cameras.orbit(torch.linspace(-1, 1, count), torch.full((count,), 0.2))
        labels = [[name, row] for name, row in zip(names, to_eg3d(cameras).tolist(), strict=True)]
        (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def edit(folder: Path, **entries: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_one_call_makes_a_generator(family: str, views: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    measured: list[torch.Size] = []

    def quality(images: torch.Tensor) -> float:
        measured.append(images.shape)
        return 1.0 / len(measured)

    folder = train("tiny", tmp_path, family=family, data=views, steps=12, log=lines.append, quality=quality)
    assert folder == tmp_path / "generator"
    assert lines[-1] == f"wrote {folder}"
    stored = load_generator(folder, family)
    assert (stored.size, stored.classes) == (SIDE, CLASSES)
    assert abs(stored.viewpoint.radius - 1.6) < 1e-6
    assert abs(stored.viewpoint.pitch - 0.24) < 0.05
    assert stored.viewpoint.yaw_limit == pytest.approx(np.pi)
    record = json.loads((folder / "training.json").read_text())
    assert record["command"] == f"viewsweep train {family} --config tiny --steps 12"
    assert (record["step"], record["quality"]) == (12, 0.5)
    assert measured == [torch.Size([20, SIDE, SIDE, 3])] * 2
    again: list[str] = []
    before = (folder / "generator.safetensors").read_bytes()
    train("tiny", tmp_path, family=family, data=views, steps=12, log=again.append, quality=quality)
    assert again == [f"{family}: going on after step 12 of 12", f"wrote {folder}"]
    assert (folder / "generator.safetensors").read_bytes() == before


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_interrupted_training_ends_with_the_same_bits(
    family: str, views: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real networks, with their own random numbers, fades and progressive sizes."""
    monkeypatch.setattr(training, "SAVE_EVERY", 4)
    settings = {"family": family, "data": views, "steps": 12, "log": lambda line: None}
    whole = train("tiny", tmp_path / "whole", **settings)  # type: ignore[arg-type]
    take, calls = training.Steps.take, iter(range(1, 100))

    def breaking(self: training.Steps, *args: object) -> object:
        if next(calls) == 7:
            raise KeyboardInterrupt
        return take(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(training.Steps, "take", breaking)
    with pytest.raises(KeyboardInterrupt):
        train("tiny", tmp_path / "broken", **settings)  # type: ignore[arg-type]
    monkeypatch.setattr(training.Steps, "take", take)
    broken = train("tiny", tmp_path / "broken", **settings)  # type: ignore[arg-type]
    assert (broken / "generator.safetensors").read_bytes() == (whole / "generator.safetensors").read_bytes()


def test_surfaces_are_sharpened_when_training_is_over(
    views: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {}
    for sharpness in (1.0, 4.0):
        recipe = replace(RECIPES["pigan"]["tiny"], sharpness=sharpness)
        monkeypatch.setitem(RECIPES["pigan"], "tiny", recipe)
        out = tmp_path / f"{sharpness:g}"
        folders[sharpness] = train("tiny", out, family="pigan", data=views, steps=2, log=print, quality=lambda _: 1.0)
    soft, crisp = (load_generator(folder, "pigan").generator for folder in folders.values())
    assert crisp.settings == {**soft.settings, "gain": 4 * soft.settings["gain"]}
    assert all(torch.equal(value, crisp.state_dict()[name]) for name, value in soft.state_dict().items())


@pytest.mark.parametrize("family", ["epigraf", "pigan"])
def test_sharpening_is_a_larger_gain(family: str) -> None:
    networks = FAMILIES[family].networks("tiny", 2)
    soft = networks[0].eval()
    built = type(soft)(**{**soft.settings, "gain": 3 * soft.settings["gain"]}).eval()
    built.load_state_dict(soft.state_dict())
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(1)) * 0.4 - 0.2
    z = torch.ones(1, soft.latent_size)

    def density(generator: GanGenerator) -> Tensor:
        pose = torch.zeros(1, 25) if generator.takes_pose else None
        with torch.no_grad():
            return generator.density(generator.scene(generator.map(z, torch.tensor([1]), pose)), points)

    before = density(soft)
    soft.sharpen(3.0)
    soft.sharpen(3.0)  # counts from the settings: not 9
    assert torch.equal(density(soft), density(built))
    assert not torch.equal(density(soft), before)
    soft.sharpen(1.0)
    assert torch.equal(density(soft), before)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_half_precision_and_parts_train_as_well(family: str, views: Path, tmp_path: Path) -> None:
    settings = {"family": family, "data": views, "steps": 4, "log": lambda line: None}
    folder = train("tiny", tmp_path, precision="bf16", accumulate=2, batch=8, **settings)  # type: ignore[arg-type]
    weights = load_generator(folder, family).generator.state_dict()  # refuses numbers that are not finite
    initial = FAMILIES[family].networks("tiny", len(CLASSES))[0].state_dict()
    assert weights.keys() == initial.keys()


@pytest.mark.gpu
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_it_trains_and_goes_on_on_a_gpu(family: str, views: Path, tmp_path: Path) -> None:
    settings = {"family": family, "data": views, "device": "cuda", "precision": "bf16", "log": lambda line: None}
    folder = train("tiny", tmp_path, steps=6, quality=lambda images: 1.0, **settings)  # type: ignore[arg-type]
    start = str(tmp_path / "checkpoint.pt")
    train("tiny", tmp_path / "on", steps=8, start=start, **settings)  # type: ignore[arg-type]
    scene = next(GanMethod(folder, device="cuda").generate([Request(0, 1, sweep360(9, 0.2), SIDE, 3)]))
    on_cpu = next(GanMethod(folder).generate([Request(0, 1, sweep360(9, 0.2), SIDE, 3)]))
    assert float((scene.rgb.float() - on_cpu.rgb.float()).abs().mean()) < 1


@pytest.mark.parametrize(("family", "posed"), [("eg3d", True), ("pigan", False)])
def test_pictures_of_the_users_train_as_well(family: str, posed: bool, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "photos", posed=posed)
    folder = train("tiny", tmp_path / "out", family=family, data=pictures, steps=2, log=lambda line: None)
    stored = load_generator(folder, family)
    assert stored.classes == ()
    assert stored.viewpoint.yaw_limit == pytest.approx(1.0 if posed else 0.6)
    assert stored.viewpoint.radius == pytest.approx(1.6, abs=1e-6)
    record = json.loads((folder / "training.json").read_text())
    assert record["command"].endswith("--config tiny --steps 2 --data photos")
    assert record["data"] == f"8 pictures from 'photos', {'with' if posed else 'without'} cameras"
    assert record["quality"] is None


@pytest.mark.parametrize("state", ["does not exist", "is empty"])
def test_views_of_tabletop_in_place_of_pictures_are_announced(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Rendering(Exception):
        """Stands for 64 views."""

    def rendering(*arguments: object, **settings: object) -> None:
        raise Rendering

    monkeypatch.setattr(gan, "prepare_views", rendering)
    folder = tmp_path / "potos"
    lines: list[str] = []
    if state == "is empty":
        folder.mkdir()
    with pytest.raises(Rendering):
        train("tiny", tmp_path / "out", family="eg3d", data=folder, log=lines.append)
    assert lines == [
        f"ATTENTION: --data {folder} {state}, so training is on tabletop, and 64 rendered views of it go there. "
        "If pictures of your own were meant, stop now and give the folder they are in."
    ]


@pytest.mark.parametrize("config", sorted(RECIPES["pigan"]))
def test_priors_stand_where_the_configuration_looks(config: str) -> None:
    marching = marching_of(FAMILIES["pigan"].networks(config, 0)[0])
    assert marching.near < CameraPrior(**RECIPES["pigan"][config].prior).radius < marching.far


def test_a_prior_that_stands_elsewhere_is_no_fault_of_a_dataset_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES["pigan"], "tiny", replace(RECIPES["pigan"]["tiny"], prior={"radius": 1.0}))
    with pytest.raises(UserError, match=r"stand 1 from the origin on average.*They are those of its prior: "):
        train("tiny", tmp_path / "out", family="pigan", data=write_pictures(tmp_path / "photos", posed=False))


def test_epigraf_begins_with_the_planes_of_tabletop_on_tabletop_alone(
    views: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(gan, "warm_start", lambda generator, method: begun.append(method))
    recipe = replace(RECIPES["epigraf"]["tiny"], planes_of="eg3d-small", alone=300, generator_rate=1e-4)
    monkeypatch.setitem(RECIPES["epigraf"], "tiny", recipe)
    pictures = write_pictures(tmp_path / "photos", count=10)
    edit(pictures, classes={f"00000/img{number:08d}.png": f"class {number}" for number in range(10)})
    lines: list[str] = []
    folder = train("tiny", tmp_path / "own", family="epigraf", data=pictures, steps=1, log=lines.append)
    assert begun == []
    assert lines[0].startswith("The tri-planes of eg3d-small have learned tabletop; on pictures of your own training")
    used = json.loads((folder / "training.json").read_text())["recipe"]
    assert (used["planes_of"], used["alone"], used["generator_rate"]) == (None, 0, 0.0025)
    train("tiny", tmp_path / "tabletop", family="epigraf", data=views, steps=1, log=print, quality=lambda _: 1.0)
    assert begun == ["eg3d-small"]


def test_a_folder_is_read_as_eg3d_publishes_it(tmp_path: Path) -> None:
    write_pictures(tmp_path, count=4, size=20)
    names = [f"00000/img{number:08d}.png" for number in range(4)]
    edit(tmp_path, classes=dict(zip(names, ["cat", "ant", "cat", "ant"], strict=True)))
    pictures = FolderPictures(tmp_path, SIDE)
    assert len(pictures) == 4
    assert pictures.classes == ("ant", "cat")
    assert pictures.labels(torch.arange(4)).tolist() == [1, 0, 1, 0]
    batch = pictures.batch(torch.tensor([2]))
    expected = np.asarray(Image.open(tmp_path / names[2]).resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    assert torch.equal(((batch[0].permute(1, 2, 0) + 1) * 127.5).round().byte(), torch.from_numpy(expected.copy()))
    assert pictures.views is not None
    expected_cameras = Cameras.orbit(torch.linspace(-1, 1, 4), torch.full((4,), 0.2))
    torch.testing.assert_close(pictures.views.cam_to_world.double(), expected_cameras.cam_to_world, atol=1e-6, rtol=0)


def test_pictures_changed_since_are_other_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    before = FolderPictures(tmp_path, SIDE).identity
    labels = json.loads((tmp_path / "dataset.json").read_text())["labels"]
    edit(tmp_path, labels=labels[1:])
    assert FolderPictures(tmp_path, SIDE).identity != before


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        (lambda labels: {"labels": "none"}, UnreadableFile, "it must hold"),
        (lambda labels: {"labels": [*labels, ["x.png"]]}, UnreadableFile, "entry 8 of labels is not"),
        (lambda labels: {"labels": [[labels[0][0], labels[0][1][:24]]]}, UnreadableFile, "entry 0 of labels is not"),
        (lambda labels: {"labels": [[labels[0][0], [0.0] * 25]]}, InvalidCameras, "Camera 0: the upper left 3x3"),
        (lambda labels: {"labels": [labels[0], labels[0]]}, UserError, "img00000000.png is listed twice"),
        (lambda labels: {"labels": [["gone.png", labels[0][1]]]}, UserError, "lists gone.png, which is not there"),
        (lambda labels: {"labels": [["../up.png", labels[0][1]]]}, UserError, "leads out of this folder"),
        (lambda labels: {"labels": []}, UserError, "there is no picture in it"),
        (lambda labels: {"classes": {"other.png": "cat"}}, UserError, "names no class for 00000/img00000000.png"),
        (lambda labels: {"classes": ["cat"]}, UnreadableFile, '"classes" must hold'),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, change: object, error: type[Exception], complaint: str) -> None:
    write_pictures(tmp_path)
    labels = json.loads((tmp_path / "dataset.json").read_text())["labels"]
    edit(tmp_path, **change(labels))  # type: ignore[operator]
    with pytest.raises(error) as caught:
        FolderPictures(tmp_path, SIDE)
    assert complaint in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_pictures_with_cameras_must_be_square(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    Image.new("RGB", (20, 16)).save(tmp_path / "00000" / "img00000003.png")
    with pytest.raises(UserError, match=r"img00000003\.png has 20 x 16 pixels; pictures with cameras must be square"):
        FolderPictures(tmp_path, SIDE)


def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    unposed = write_pictures(tmp_path / "photos", posed=False)
    out = tmp_path / "out"
    for settings, complaint in (
        ({"family": "eg3d", "data": unposed}, "EG3D judges how picture and camera fit, and these pictures have no"),
        ({"family": "eg3d", "steps": 0}, "--steps 0: training takes at least one step."),
        ({"family": "eg3d", "batch": 0}, "--batch 0: at least 1."),
        ({"family": "eg3d", "gamma": -1.0}, "--gamma -1.0: a weight is not negative."),
        ({"family": "eg3d", "precision": "fp16"}, "GANs do not train in fp16 here"),
        ({"family": "eg3d", "data": tmp_path / "photos" / "00000" / "img00000000.png"}, "there is no such folder"),
    ):
        with pytest.raises(UserError) as caught:
            train("tiny", out, log=lambda line: None, **settings)  # type: ignore[arg-type]
        assert complaint in str(caught.value)
    with pytest.raises(UserError, match="potos: there is no such folder"):
        train("paper", out, family="pigan", data=tmp_path / "potos")
    with pytest.raises(UserError, match="The configuration paper trains on pictures of your own"):
        train("paper", out, family="pigan")
    with pytest.raises(UnknownName, match="There is no configuration of eg3d named 'smal'"):
        train("smal", out, family="eg3d")
    with pytest.raises(UnknownName, match="There is no GAN named 'eg4d'"):
        train("small", out, family="eg4d")
    with pytest.raises(UnknownName, match="There is no change of a GAN's recipe named 'rate'"):
        train("tiny", out, family="eg3d", rate=1.0)
    assert not out.exists()


def test_batches_of_progressive_stages_keep_their_proportions() -> None:
    known = RECIPES["pigan"]["paper-carla"]
    doubled = known.changed(batch=28)
    assert [stage.batch for stage in doubled.stages] == [2 * stage.batch for stage in known.stages]
    assert [stage.until for stage in doubled.stages] == [stage.until for stage in known.stages]


@pytest.mark.parametrize(("family", "config"), [(family, config) for family in RECIPES for config in RECIPES[family]])
def test_every_recipe_has_networks(family: str, config: str) -> None:
    assert config in FAMILIES[family].generators
    recipe = RECIPES[family][config]
    if config == "tiny" or config == "small":
        generator, discriminator = FAMILIES[family].networks(config, 10)
        assert (generator.classes, discriminator.classes) == (10, 10)
    if recipe.patches is not None:
        assert recipe.patches.smallest * recipe.size == recipe.patch_size
    assert gan.RECIPES[family]["tiny"].size == SIDE
