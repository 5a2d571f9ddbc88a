"""The authors' checkpoints: what becomes of them, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result
from viewsweep.baselines.ivid.adm_checkpoint import read_checkpoint
from viewsweep.baselines.ivid.adm_keys import Entry, key_table, network_arguments
from viewsweep.baselines.ivid.convert import convert
from viewsweep.baselines.ivid.method import load_pipeline
from viewsweep.baselines.ivid.networks import PAPER_IMAGENET, PAPER_SINGLE, PAPER_UPSAMPLER, RGBDUNet
from viewsweep.baselines.ivid.pipeline import PAPER_SETTINGS
from viewsweep.baselines.ivid.upsampler import load_upsampler
from viewsweep.cli import app
from viewsweep.scenes import sweep360
from viewsweep.scenes.errors import UserError, WriteFailed

from .adm_reference import Adm, State, forward, random_state, shapes

SIZE = 16
TIMES = torch.tensor([0, 19, 500, 999])
TINY = Adm(channels=(32, 64), attention=(False, True), blocks=1, head=64)
"""With the authors' 64 channels a head, which `convert` takes for granted."""


def save(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path


def checkpoint(folder: Path, adm: Adm = TINY, name: str = "weights.pt", seed: int = 0) -> Path:
    return save(folder / name, OrderedDict(random_state(adm, seed)))


def pictures(adm: Adm, seed: int = 0) -> Tensor:
    return torch.randn(len(TIMES), adm.inputs, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def difference(adm: Adm, state: State, network: RGBDUNet, labels: list[int | None], seed: int = 0) -> float:
    """The largest between the reference's output and the network's."""
    x = pictures(adm, seed)
    expected = forward(adm, state, x, TIMES, labels)
    indices = torch.tensor([network.null_class if label is None else label for label in labels])
    extra = x[:, 4:] if adm.inputs > 4 else None
    with torch.no_grad():
        found: Tensor = network(x[:, :4], TIMES, indices, extra)
    assert 0.3 < float(expected.std()) < 30  # neither dead nor blown up
    return float((found - expected).abs().max())


@pytest.mark.parametrize("classes", [0, 5], ids=["no-classes", "classes"])
@pytest.mark.parametrize("inputs", [4, 10, 8], ids=["first", "following", "upsampler"])
def test_converted_network_draws_what_the_authors_would(tmp_path: Path, inputs: int, classes: int) -> None:
    adm = Adm(inputs=inputs, classes=classes)
    network = read_checkpoint(checkpoint(tmp_path, adm), head=adm.head).network()
    state = random_state(adm)
    for seed, labels in enumerate(([0, 1, 4, 2], [None, 3, None, 0], [None] * 4)):
        assert difference(adm, state, network, labels, seed) <= 1e-4


@pytest.mark.parametrize(
    "adm",
    [
        TINY,
        Adm(channels=(64,), attention=(True,), blocks=1),
        Adm(channels=(32, 64, 64), attention=(True, False, False), blocks=3),
        Adm(channels=(64, 32), attention=(False, False), blocks=2),
    ],
    ids=["tiny", "one-level", "attention-first", "narrowing"],
)
def test_any_network_of_the_family_is_recognised(tmp_path: Path, adm: Adm) -> None:
    read = read_checkpoint(checkpoint(tmp_path, adm), head=adm.head)
    assert read.arguments["channels"] == adm.channels
    assert read.arguments["attention"] == adm.attention
    assert (read.arguments["layers"], read.arguments["classes"]) == (adm.blocks, adm.classes)
    assert difference(adm, random_state(adm), read.network(), [0, None, 1, 2]) <= 1e-4


def test_comparison_would_see_qkv_parted_in_three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mistake of a known converter: right only for a single head."""

    def thirds(entry: Entry, tensor: Tensor, head: int) -> dict[str, Tensor]:
        if entry.kind == "qkv":
            flat = tensor[..., 0] if tensor.ndim == 3 else tensor
            return dict(zip(entry.targets, flat.chunk(3), strict=True))
        return honest(entry, tensor, head)

    adm, honest = Adm(), Entry.convert
    path = checkpoint(tmp_path, adm)
    monkeypatch.setattr(Entry, "convert", thirds)
    wrong = read_checkpoint(path, head=adm.head).network()
    assert difference(adm, random_state(adm), wrong, [0, 1, 2, 3]) > 1e-2


@pytest.mark.parametrize(
    ("inputs", "settings", "count"),
    [
        (4, {**PAPER_IMAGENET, "condition": False}, 494),
        (10, {**PAPER_IMAGENET, "condition": True}, 494),
        (4, {**PAPER_SINGLE, "condition": False}, 493),
        (10, {**PAPER_SINGLE, "condition": True}, 493),
        (8, {**PAPER_UPSAMPLER, "condition": False}, 494),
        (8, {**PAPER_UPSAMPLER, "condition": False, "classes": 0}, 493),
    ],
    ids=["imagenet", "imagenet-cond", "single", "single-cond", "imagenet-up", "single-up"],
)
def test_the_authors_networks_are_covered_tensor_by_tensor(inputs: int, settings: dict[str, Any], count: int) -> None:
    """Their full size, by name and shape alone; the numbers of tensors are those of their checkpoints."""
    architecture = {name: settings[name] for name in ("channels", "attention", "classes", "head")}
    adm = Adm(inputs=inputs, **architecture)
    theirs = shapes(adm)
    assert len(theirs) == count
    arguments = network_arguments(theirs)
    assert arguments == settings
    with torch.device("meta"):
        ours = {name: value.shape for name, value in RGBDUNet(**arguments).state_dict().items()}
    entries = key_table(arguments, ours)
    del theirs["time_embed.0.freqs"]
    assert {entry.source: entry.source_shape(ours) for entry in entries} == theirs
    assert sorted(name for entry in entries for name in entry.targets) == sorted(ours)


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Checkpoints of a G_u and a G_c."""
    return [checkpoint(tmp_path, replace(TINY, inputs=n), f"{n}.pt", seed=n) for n in (4, 10)]


@pytest.mark.parametrize("half", [False, True], ids=["float", "half"])
def test_two_checkpoints_make_a_pipeline(pair: list[Path], tmp_path: Path, half: bool) -> None:
    said: list[str] = []
    out = tmp_path / "out"
    convert(pair[::-1], out, half=half, size=SIZE, log=said.append)
    assert "The pipeline is complete" in said[-1]
    pipeline = load_pipeline(out)
    assert {name: pipeline.config[name] for name in PAPER_SETTINGS} == dict(PAPER_SETTINGS)
    wanted = {
        "beta_start": 1e-4,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "num_train_timesteps": 1000,
        "prediction_type": "epsilon",
        "timestep_spacing": "trailing",
        "clip_sample": False,
        "set_alpha_to_one": True,
    }
    assert {name: pipeline.scheduler.config[name] for name in wanted} == wanted
    for path, network, inputs in zip(pair, (pipeline.first, pipeline.following), (4, 10), strict=True):
        adm = replace(TINY, inputs=inputs)
        state = torch.load(path, weights_only=True)
        assert difference(adm, state, network, [0, 1, None, 2]) <= (2e-2 if half else 1e-4)
        assert bool((network.unet.class_embedding.weight[-1] == 0).all())
    record = json.loads((out / "first" / "source.json").read_text())
    assert record["file"] == "4.pt"
    assert record["stored"] == ("float16" if half else "float32")
    drawn = pipeline([1], [3], [sweep360(2)], first_steps=1, next_steps=1)
    assert drawn.rgb.shape == (1, 2, SIZE, SIZE, 3)


def test_half_a_pipeline_says_what_is_missing(pair: list[Path], tmp_path: Path) -> None:
    said: list[str] = []
    out = tmp_path / "out"
    convert(pair[:1], out, size=SIZE, log=said.append)
    assert "Still missing: following." in said[-1]
    assert f"viewsweep convert ivid imagenet128_cond.pt --out {out}" in said[-1]
    assert not (out / "model_index.json").exists()
    convert(pair[1:], out, size=SIZE, log=said.append)
    assert "complete" in said[-1]
    assert load_pipeline(out).first.config.classes == TINY.classes


def test_upsampler_is_a_pipeline_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert([checkpoint(tmp_path, replace(TINY, inputs=8))], out, size=16, log=lambda line: None)
    assert not (out / "model_index.json").exists()
    upsampler = load_upsampler(out / "upsampler")
    network = upsampler.network
    assert (network.config.size, network.config.extra_channels, network.config.condition) == (16, 4, False)
    assert (upsampler.config.near, upsampler.config.far, upsampler.config.background) == (0.6, 5.0, 1.0)
    assert upsampler.scheduler.config.prediction_type == "epsilon"
    assert json.loads((out / "upsampler" / "source.json").read_text())["stored"] == "float32"
    small = torch.full((1, 2, 8, 8, 3), 90, dtype=torch.uint8)
    drawn = upsampler([0], [5], small, torch.full((1, 2, 8, 8), 1.5), steps=2)
    assert drawn.rgb.shape == (1, 2, 16, 16, 3)


def test_converting_again_replaces_a_part(pair: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(pair, out, size=SIZE, log=lambda line: None)
    before = load_pipeline(out).first.state_dict()["unet.conv_in.weight"]
    convert([checkpoint(tmp_path, TINY, "4.pt", seed=9)], out, size=SIZE, log=lambda line: None)
    assert not torch.equal(load_pipeline(out).first.state_dict()["unet.conv_in.weight"], before)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [".convert.lock", "first", "following", "model_index.json", "scheduler"]
    )


def test_failed_conversion_leaves_no_pipeline(
    pair: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    convert(pair, out, size=SIZE, log=lambda line: None)

    def full(self: RGBDUNet, folder: str) -> None:
        (Path(folder) / "config.json").write_text("{")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(RGBDUNet, "save_pretrained", full)
        with pytest.raises(WriteFailed, match="No space left on device"):
            convert(pair, out, size=SIZE, log=lambda line: None)
    assert not (out / "model_index.json").exists()
    assert not list(out.glob(".*.tmp"))


@pytest.mark.slow  # a process of its own, which imports torch
def test_killed_conversion_leaves_no_folder_that_looks_complete(pair: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(pair, out, size=SIZE, log=lambda line: None)
    script = f"""
        import os, signal
        from viewsweep.baselines.ivid import convert as module
        from viewsweep.baselines.ivid.networks import RGBDUNet
        save, calls = RGBDUNet.save_pretrained, []

        def once(self, folder, **others):
            if calls:
                os.kill(os.getpid(), signal.SIGKILL)
            calls.append(folder)
            save(self, folder, **others)

        RGBDUNet.save_pretrained = once
        module.convert({[str(path) for path in pair]}, {str(out)!r}, size={SIZE})
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=os.environ, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (out / "model_index.json").exists()
    convert(pair, out, size=SIZE, log=lambda line: None)
    assert not list(out.glob(".*.tmp"))
    load_pipeline(out)


def without(*names: str) -> Callable[[State], State]:
    return lambda state: {name: value for name, value in state.items() if name not in names}


def with_(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[State], State]:
    return lambda state: {**state, name: change(state[name])}


def spoil(value: Tensor) -> Tensor:
    value = value.clone()
    value.view(-1)[3] = torch.nan
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("out.2.bias"), r"1 missing \(out.2.bias\)"),
        (without("middle_block.1.qkv.weight", "middle_block.1.qkv.bias"), r"2 missing \(middle_block.1.qkv.weight, m"),
        (without("out.2.weight"), "out.2.weight is missing"),
        (
            lambda state: {n: v for n, v in state.items() if "time" not in n},
            r"4 missing \(time_embed.1.weight, .*bias\)",
        ),
        (lambda state: {**state, "out.3.weight": torch.ones(2)}, r"1 left over \(out.3.weight\)"),
        (
            with_("time_embed.3.weight", lambda value: value[:, :5]),
            r"1 of the wrong shape \(time_embed.3.weight is 128x5, not 128x128\)",
        ),
        (with_("out.2.weight", lambda value: value.repeat(2, 1, 1, 1)), "takes 4 channels and returns 8"),
        (with_("input_blocks.0.0.weight", lambda value: value[:, :3]), "takes 3 channels"),
        (with_("out.0.bias", lambda value: value.long()), "No tensor of floating-point numbers: out.0.bias"),
        (with_("out.0.bias", spoil), "out.0.bias holds numbers that are not finite"),
        (with_("out.0.bias", lambda value: 1e6 * value.abs()), "out.0.bias holds .* omit --half"),
        (
            lambda state: {n: v for n, v in state.items() if not n.startswith("input_blocks.2.")},
            "3 input_blocks and 4 output_blocks",
        ),
        (
            lambda state: {n: v for n, v in state.items() if not n.startswith("output_blocks.1.2.")},
            "not all of it. Level 0 is 32 channels wide",
        ),
        (lambda state: {"model": state, "step": 3}, "holds model, step.*trainer's checkpoint.*'model'"),
        (lambda state: {"weights": state}, "holds weights.*trainer's checkpoint.*'weights'"),
        (lambda state: {"conv_in.weight": torch.ones(1)}, "holds conv_in.weight.*layout of diffusers"),
        (lambda state: {"backbone.synthesis.b4.const": torch.ones(1)}, "holds backbone.synthesis.b4.const. Expected"),
        (lambda state: {}, "holds nothing"),
        (lambda state: list(state.values()), "holds a list"),
        (lambda state: torch.ones(3), "holds a Tensor"),
    ],
)
def test_other_content_is_refused_by_name(tmp_path: Path, change: Callable[[State], object], message: str) -> None:
    path, out = save(tmp_path / "weights.pt", change(random_state(TINY))), tmp_path / "out"
    with pytest.raises(UserError, match=message) as caught:
        convert([path], out, half=True, log=lambda line: None)
    assert str(path) in str(caught.value)
    assert not out.exists()


class Payload:
    """A pickle that runs code when it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_pickle_with_code_is_refused_and_not_run(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "weights.pt", tmp_path / "trace"
    torch.save({**random_state(TINY), "extra": Payload(trace)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="more than plain tensors"):
        convert([path], tmp_path / "out", log=lambda line: None)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 and no more", b"\x80\x02", bytes(range(256)) * 9], ids=len
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.pt: cannot be read as a file of torch\.save"):
        read_checkpoint(path)


def test_truncated_and_absent_files_are_refused(tmp_path: Path) -> None:
    whole = checkpoint(tmp_path)
    (tmp_path / "half.pt").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UserError, match=r"half\.pt: cannot be read"):
        read_checkpoint(tmp_path / "half.pt")
    with pytest.raises(UserError, match="no such file"):
        read_checkpoint(tmp_path / "absent.pt")
    with pytest.raises(UserError, match="no such file"):
        read_checkpoint(tmp_path)


def test_legacy_files_are_read(tmp_path: Path) -> None:
    torch.save(random_state(TINY), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    network = read_checkpoint(tmp_path / "old.pt").network()
    assert difference(TINY, random_state(TINY), network, [0, 1, 2, None]) <= 1e-4


def test_part_is_given_once(pair: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"4\.pt and .*4\.pt are both the network 'first'"):
        convert([pair[0], pair[0]], tmp_path / "out")


@pytest.mark.parametrize("apart", [False, True], ids=["together", "one-after-the-other"])
@pytest.mark.parametrize(
    ("other", "message"),
    [({"classes": 3}, "classes is 5 in the one and 3"), ({"channels": (32, 128)}, r"channels is \[32, 64\]")],
    ids=["classes", "widths"],
)
def test_networks_of_two_families_are_not_joined(
    pair: list[Path], tmp_path: Path, other: dict[str, Any], message: str, apart: bool
) -> None:
    out, stranger = tmp_path / "out", checkpoint(tmp_path, replace(TINY, inputs=10, **other), "other.pt")
    if apart:
        convert(pair[:1], out, log=lambda line: None)
    with pytest.raises(UserError, match=f"do not belong together: {message}"):
        convert([stranger] if apart else [pair[0], stranger], out, log=lambda line: None)
    assert not (out / "following").exists()


def test_command_line_converts_and_refuses(pair: list[Path], tmp_path: Path) -> None:
    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, ["convert", *map(str, arguments), "--out", str(tmp_path / "out")])

    wrong = call("ivdi", *pair)
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr == "Error: There is no converter named 'ivdi'. Did you mean ivid?\n"
    absent = call("ivid", "absent.pt")
    assert absent.exit_code == 2
    assert absent.stderr.startswith("Error: absent.pt: there is no such file.")
    done = call("ivid", *pair, "--half", "--size", SIZE)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"4.pt: 0.8 million parameters, torch.float16, written to {tmp_path / 'out' / 'first'}"
    assert lines[-1].startswith("The pipeline is complete.")
    assert load_pipeline(tmp_path / "out").size == SIZE
