"""Methods by name, by class and by file."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from viewsweep.benchmark import registry
from viewsweep.benchmark.registry import BUILT_IN, find_method, load_method, method_names
from viewsweep.scenes import Generator
from viewsweep.scenes.errors import UnknownName, UserError

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
