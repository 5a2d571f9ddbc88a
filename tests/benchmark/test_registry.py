"""Methods by name, by class and by file."""

from __future__ import annotations

import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from viewsweep.benchmark import registry
from viewsweep.benchmark.fingerprint import sha256_file
from viewsweep.benchmark.listing import describe
from viewsweep.benchmark.registry import BUILT_IN, find_method, load_method, method_names
from viewsweep.benchmark.trained_folder import folder_name, trained_target
from viewsweep.scenes import Generator
from viewsweep.scenes.errors import UnknownName, UserError

PACKAGE = Path(registry.__file__).parents[1]

FILE = """
from viewsweep.scenes import GeneratorInfo

class Mine:
    def __init__(self, device):
        self.device = device

    def info(self):
        return GeneratorInfo("mine-small", "My own method.")

    def generate(self, requests):
        yield from ()
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("name", ["oracle", "frozen", "billboard", "noise"])
def test_built_in_methods_carry_the_name_they_are_registered_under(name: str) -> None:
    generator = load_method(name)
    assert isinstance(generator, Generator)
    assert generator.info().name == name


def test_every_built_in_is_listed() -> None:
    assert set(BUILT_IN) <= set(method_names())


def test_unknown_method_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no method named 'oracel'. Did you mean oracle"):
        load_method("oracel")


def test_file_with_one_class(mine: Path) -> None:
    method = find_method(str(mine), "cpu", 4)
    assert method.name == "mine-small"
    assert method.load("cpu", 4).device == "cpu"  # type: ignore[attr-defined]  # the file's own


def test_class_in_file_by_name(mine: Path) -> None:
    mine.write_text(FILE + "\nclass Other(Mine):\n    pass\n")
    with pytest.raises(UserError, match=r"needs one class with generate and info, found Mine, Other"):
        load_method(str(mine))
    assert load_method(f"{mine}:Mine").info().name == "mine-small"
    with pytest.raises(UnknownName, match="Did you mean Mine"):
        load_method(f"{mine}:Mime")


def test_file_below_a_folder_with_py_in_its_name(mine: Path) -> None:
    folder = mine.parent / ".pyenv"
    folder.mkdir()
    moved = mine.rename(folder / "mine.py")
    assert load_method(str(moved)).info().name == "mine-small"
    assert load_method(f"{moved}:Mine").info().name == "mine-small"


def test_file_that_changes_has_another_fingerprint(mine: Path) -> None:
    before = find_method(str(mine)).fingerprint()
    assert before == find_method(str(mine)).fingerprint()
    mine.write_text(FILE + "\n# better\n")
    assert before is not None
    assert find_method(str(mine)).fingerprint() != before


def test_class_by_module() -> None:
    with pytest.raises(UserError, match="claims the name 'noise', which is built-in"):
        load_method("viewsweep.baselines.reference:Noise")
    with pytest.raises(UserError, match=r"there is no module 'viewsweep.nowhere'"):
        load_method("viewsweep.nowhere:Noise")


def test_faulty_module_is_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "faulty_method_module.py").write_text("raise RuntimeError('no weights')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"faulty_method_module:Mine: cannot be set up \(RuntimeError: no weights\)"):
        load_method("faulty_method_module:Mine")
    with pytest.raises(UserError, match=r":Mine: cannot be set up \(ValueError: Empty module name\)"):
        load_method(":Mine")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = (", r"mine\.py:1: cannot be imported \(SyntaxError"),
        ("\nimport nowhere_at_all", r"mine\.py:2: cannot be imported \(ModuleNotFoundError"),
        ("x = 1", "needs one class with generate and info, found none"),
        (FILE.replace("mine-small", "My Method"), "info.. gives the name 'My Method'"),
        (FILE.replace("self.device = device", "raise RuntimeError('no weights')"), "no weights"),
    ],
    ids=["syntax", "import", "no class", "name", "constructor"],
)
def test_faulty_file_is_a_user_error(mine: Path, text: str, fault: str) -> None:
    mine.write_text(text)
    with pytest.raises(UserError, match=fault):
        load_method(str(mine))


def test_missing_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.py: there is no such file"):
        load_method(str(tmp_path / "none.py"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training's folder, with its generator and its checkpoint."""
    out = tmp_path_factory.mktemp("train") / "My GAN"
    shutil.copytree(PACKAGE / "baselines/gan/weights/pigan-small", out / "generator")
    (out / "checkpoint.pt").write_bytes(b"")
    return out


def test_trained_folder_is_a_method(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.parent)
    method = find_method("My GAN/generator")
    assert method.name == "my-gan"
    info = method.load("cpu", 4).info()
    assert info.name == "my-gan"
    assert info.weights_sha256 == sha256_file(trained / "generator" / "generator.safetensors")
    before = method.fingerprint()
    assert before == find_method(str(trained / "generator")).fingerprint()
    monkeypatch.chdir(trained)
    assert find_method("generator").fingerprint() == before
    assert describe("generator")["method"]["weights_sha256"] == info.weights_sha256
    with pytest.raises(UnknownName, match="no method named 'nothing'"):
        find_method("nothing")


def test_trained_folder_that_changes_has_another_fingerprint(trained: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(trained / "generator", tmp_path / "copied"))
    before = find_method(str(copied)).fingerprint()
    (copied / "generator.safetensors").write_bytes(b"")
    assert find_method(str(copied)).fingerprint() != before


@pytest.mark.parametrize(
    ("shipped", "kind"),
    [
        ("baselines/gan/weights/pigan-small", "GanMethod"),
        ("baselines/dfm/weights/dfm-inversion-small", "DFMInversion"),
        ("baselines/ivid/weights/small", "IvidGenerator"),
    ],
)
def test_every_family_comes_from_its_folder(tmp_path: Path, shipped: str, kind: str) -> None:
    (tmp_path / "own").symlink_to(PACKAGE / shipped, target_is_directory=True)
    target = trained_target(tmp_path / "own")
    made = registry._from_module(target)(tmp_path / "own", name="own", device="cpu")
    assert type(made).__name__ == kind
    assert made.info().name == "own"


def test_folders_that_are_no_method_are_refused(trained: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "ffhq.pkl"
    (tmp_path / "pickles").mkdir()
    (tmp_path / "pickles" / "ffhq.pkl").write_bytes(b"")
    shutil.copytree(trained / "generator", tmp_path / "oracle")
    (tmp_path / "upsampler").mkdir()
    (tmp_path / "upsampler" / "model_index.json").write_text('{"_class_name": "UpsamplerPipeline"}')
    for spec, complaint in (
        (pickled, "this file may be a pickle"),
        (pickled.name, "this file may be a pickle"),
        (tmp_path / "pickles", "ffhq.pkl: this file may be a pickle"),
        (trained, f"this is the folder of a whole training. Give its result, {trained / 'generator'}."),
        (tmp_path / "nowhere", "there is no such folder of a trained generator"),
        (tmp_path, "there is no config.json, so this is no folder of a trained generator"),
        (tmp_path / "oracle", "it would be called 'oracle', which is built-in"),
        (tmp_path / "upsampler", "a pipeline of the class UpsamplerPipeline is no method by itself"),
    ):
        with pytest.raises(UserError) as caught:
            find_method(str(spec))
        assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("runs/o2/generator", "o2"),
        ("runs/Größe 64/problem", "gr-e-64"),
        ("cats", "cats"),
        ("/generator", "generator"),
        ("x/__", "trained"),
    ],
)
def test_names_of_folders_are_names_of_methods(path: str, name: str) -> None:
    assert folder_name(Path(path)) == name
    assert registry.NAME.fullmatch(name)


def install(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    found = [EntryPoint(name, value, registry.GROUP) for name, value in points]
    monkeypatch.setattr(registry, "entry_points", lambda group: found)


def test_entry_point_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("other-oracle", "viewsweep.baselines.reference:Oracle"))
    assert load_method("other-oracle").info().name == "oracle"
    assert method_names()["other-oracle"] == "an installed package (viewsweep.baselines.reference:Oracle)"


def test_clash_names_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ("oracle", "acme.methods:Oracle"))
    with pytest.raises(
        UserError, match=r"claimed twice: built-in .*reference\.oracle:Oracle.* and .*acme\.methods:Oracle"
    ):
        load_method("oracle")
    assert load_method("frozen").info().name == "frozen"


def test_cuda_without_a_gpu_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match=r"--device cuda: torch finds no usable GPU here. Use --device cpu"):
        load_method("oracle", device="cuda")
    with pytest.raises(UserError, match="no device 'gpu'"):
        load_method("oracle", device="gpu")


def test_fingerprint_of_a_built_in_needs_no_loading() -> None:
    first, second = find_method("oracle").fingerprint(), find_method("oracle").fingerprint()
    assert first == second
    assert first is not None
    assert len(first) == 64
