"""Protocols: hashes that mean something, and faults told with their line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError
from viewsweep.benchmark.protocol import Protocol, load_protocol, protocol_from_record, protocol_names
from viewsweep.scenes import Cameras, tabletop
from viewsweep.scenes.errors import UnknownName, UnreadableFile, UserError


def test_shipped_protocols_load() -> None:
    paper = ["ivid-imagenet128", "ivid-imagenet128-fusion", "ivid-imagenet128-range"]
    videos = ["co3d-completion", "re10k-completion"]
    completion = ["tabletop-inversion", "tabletop-motion"]
    sweeps = ["tabletop64", "tabletop64-completion", "tabletop64-demo", "tabletop64-range"]
    assert protocol_names() == sorted([*videos, *paper, *completion, *sweeps])
    demo, full = load_protocol("tabletop64-demo"), load_protocol("tabletop64")
    assert (demo.scenes, full.scenes) == (8, 256)
    assert len(demo.cameras()) == 24
    assert demo.hash != full.hash


def test_shipped_protocols_name_the_installed_network_and_metrics() -> None:
    from viewsweep.benchmark.metric_catalogue import catalogue
    from viewsweep.metrics.tabletop_network import load_tabletop_network
    from viewsweep.metrics.weight_files import WEIGHT_FILES

    for name in protocol_names():
        protocol = load_protocol(name)
        assert protocol.features is not None
        inception = WEIGHT_FILES["inception"].sha256
        known_weights = {"tabletop": load_tabletop_network().sha256}
        known_weights |= {"inception": inception, "inception-legacy": inception}
        assert protocol.features.sha256 == known_weights[protocol.features.network]
        known = catalogue()
        for stem in protocol.metrics:
            assert protocol.uses(stem).version == known[stem].version
            absent = {"estimate"} | (set() if protocol.completion else {"truth", "samples"})
            absent |= set() if protocol.sequences else {"weights"}  # videos come from outside, and so may weights
            assert not absent & known[stem].needs  # nothing a laptop does not have


def test_description_stays_outside_the_hash_and_everything_else_inside(tiny: Protocol) -> None:
    assert Protocol.model_validate({**tiny.content, "description": "other"}).hash == tiny.hash
    for key, value in {"version": 2, "size": 24, "labels": "none", "metrics": {"warp_error": 2}}.items():
        assert Protocol.model_validate({**tiny.content, key: value}).hash != tiny.hash


def test_keys_that_came_later_leave_the_hash_of_older_protocols_alone(tiny: Protocol) -> None:
    assert load_protocol("tabletop64").hash == "a5d370f2e8373d9582d29335f7a71b4ed7071f231605a64ad4ef5ebb559e9748"
    assert not {"classes", "scored"} & tiny.content.keys()
    assert Protocol.model_validate({**tiny.content, "scored": "all"}).hash == tiny.hash
    assert Protocol.model_validate({**tiny.content, "scored": "last"}).hash != tiny.hash


def test_protocol_of_the_paper() -> None:
    protocol = load_protocol("ivid-imagenet128")
    requests = protocol.requests()
    assert len(requests) == 10_000
    assert [request.label for request in requests[998:1002]] == [998, 999, 0, 1]
    assert all(len(request.cameras) == 2 for request in requests)
    front = Cameras.orbit([0.0], [0.0], radius=1.0, fov=math.radians(45))
    assert all(torch.allclose(request.cameras[0].cam_to_world, front.cam_to_world) for request in requests[:50])
    yaw, pitch = (torch.stack([getattr(request.cameras, name)[1] for request in requests]) for name in ("yaw", "pitch"))
    assert len(yaw.unique()) == 10_000  # no pose is shared
    assert (yaw.mean().abs() < 0.01, pitch.mean().abs() < 0.005) == (True, True)
    assert (float(yaw.std()), float(pitch.std())) == (pytest.approx(0.3, rel=0.03), pytest.approx(0.15, rel=0.03))
    assert protocol_from_record(protocol.record, Path("run.json")).hash == protocol.hash


def test_fusion_protocol_clips_its_poses() -> None:
    requests = load_protocol("ivid-imagenet128-fusion", scenes=500).requests()
    free = load_protocol("ivid-imagenet128", scenes=500).requests()
    for request, other in zip(requests, free, strict=True):
        yaw, pitch = float(other.cameras.yaw[1]), float(other.cameras.pitch[1])
        assert float(request.cameras.yaw[1]) == pytest.approx(max(-0.6, min(0.6, yaw)), abs=1e-9)
        assert float(request.cameras.pitch[1]) == pytest.approx(max(-0.15, min(0.15, pitch)), abs=1e-9)


def test_range_protocols_take_the_order_of_the_paper() -> None:
    for name in ("ivid-imagenet128-range", "tabletop64-range"):
        cameras = load_protocol(name).cameras()
        assert cameras.yaw[:7].tolist() == pytest.approx([0, 0, 0, 0.15, 0.15, 0.15, -0.15])
        assert cameras.pitch[:4].tolist() == pytest.approx([0, 0.15, -0.15, 0])


def test_a_drawn_view_needs_a_seed_and_is_that_of_its_scene_alone() -> None:
    protocol = load_protocol("ivid-imagenet128", scenes=20)
    with pytest.raises(UserError, match="each scene draws its own from its seed"):
        protocol.cameras()
    request = protocol.requests()[7]
    assert torch.equal(protocol.cameras(request.seed).cam_to_world, request.cameras.cam_to_world)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"classes": 10}, "tabletop has its own"),
        ({"reference": {"kind": "folder"}, "classes": None}, "needs `dataset: images`"),
        ({"reference": {"kind": "truth"}}, "only a completion knows its true views"),
        ({"dataset": "images"}, "say how many classes there are"),
        ({"dataset": "images", "classes": 3, "truth": "world"}, "hold no true views"),
        ({"dataset": "images", "classes": 3, "reference": {"images": 5}}, "nothing can be rendered"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_parts_that_do_not_fit_the_dataset_are_refused(tiny: Protocol, change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Protocol.model_validate({**tiny.content, **change})


def test_hash_covers_defaults(tiny: Protocol) -> None:
    sweep = {"kind": "sweep360", "views": 4, "pitch_deg": 15.0, "radius": 1.6}
    assert Protocol.model_validate({**tiny.content, "sweep": sweep}).hash == tiny.hash


def test_requests_take_seeds_from_the_test_split_and_labels_in_turn(tiny: Protocol) -> None:
    requests = tiny.with_scenes(12).requests()
    assert [request.seed for request in requests] == list(tabletop.TEST_SEEDS[:12])
    assert [request.label for request in requests] == [*range(10), 0, 1]
    unlabelled = Protocol.model_validate({**tiny.content, "labels": "none"})
    assert {request.label for request in unlabelled.requests()} == {None}


def test_another_number_of_scenes_is_another_protocol_and_recorded(tiny: Protocol) -> None:
    more = tiny.with_scenes(5).with_scenes(6)
    assert more.hash != tiny.hash
    assert more.record["overrides"] == {"scenes": {"declared": 3, "used": 6}}
    assert tiny.with_scenes(3).record["overrides"] == {}


def test_zero_scenes_are_refused(tiny: Protocol) -> None:
    with pytest.raises(UserError, match="--scenes 0: a run has between 1 and 100000 scenes"):
        tiny.with_scenes(0)


def test_record_gives_the_protocol_back(tiny: Protocol) -> None:
    again = protocol_from_record(tiny.with_scenes(5).record, Path("run.json"))
    assert again.hash == tiny.with_scenes(5).hash
    assert again.record == tiny.with_scenes(5).record


def test_edited_record_is_refused(tiny: Protocol) -> None:
    with pytest.raises(UnreadableFile, match=r"run\.json: its protocol does not have the hash"):
        protocol_from_record({**tiny.record, "size": 32}, Path("run.json"))


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no protocol named 'tabeltop64'. Did you mean tabletop64"):
        load_protocol("tabeltop64")


def test_grid_protocol(tiny: Protocol) -> None:
    grid = Protocol.model_validate({**tiny.content, "sweep": {"kind": "grid_3x9", "views": 9}})
    assert len(grid.cameras()) == 9


def lines_of(path: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        load_protocol(str(path))
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  views: 4", "  veiws: 4", "9: sweep.veiws: unknown key. Did you mean 'views'?"),
        ("size: 16", "siez: 16", "5: siez: unknown key. Did you mean 'size'?"),
        ("size: 16", "size: '16'", "5: size: input should be a valid integer, not '16'."),
        ("scenes: 3", "scenes: 0", "6: scenes: input should be greater than or equal to 1, not 0."),
        ("labels: cyclic", "labels: random", "11: labels: input should be 'cyclic' or 'none', not 'random'."),
        ("  warp_error: 1", "  warp_error: 0", "12: metrics: versions count from 1, but warp_error is below."),
        ("name: tiny", "name: Tiny Protocol", "2: name: string should match pattern"),
        ("version: 1\n", "version: 1\nversion: 2\n", "4: version: given twice; first on line 3."),
        ("size: 16", "size: [16", "6: not valid YAML"),
        ("size: 16", "size: &a 16\nscenes2: *a", "6: *a: write the value out"),
        ("kind: sweep360", "kind: spiral", "7: sweep"),
        ("size: 16\n", "", "1: size: missing; add it."),
        ("name: tiny", "name: !!python/object:os.system tiny", "2: not valid YAML"),
        ("size: 16", "size: 2024-13-01", "5: size: no value (month must be in 1..12)."),
        ("size: 16", "size: " + 5000 * "9", "5: size: no value (Exceeds the limit"),
        ("size: 16", "size: " + 500 * "[" + 500 * "]", "1: nested too deeply for a settings file."),
    ],
    ids=lambda value: value.strip().replace("\n", " ")[:24],
)
def test_fault_is_told_with_its_line(tiny_file: Path, old: str, new: str, fault: str) -> None:
    assert any(line.startswith(fault) for line in lines_of(edited(tiny_file, old, new)))


def test_all_faults_are_listed(tiny_file: Path) -> None:
    edited(edited(tiny_file, "size: 16", "siez: 16"), "labels: cyclic", "labels: random")
    assert [line.split(":")[0] for line in lines_of(tiny_file)] == ["1", "5", "11"]


@pytest.mark.parametrize("text", ["", "- a list", "just words"])
def test_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    assert lines_of(path) == ["1: the file must hold keys and values, such as `name: my-protocol`."]


def test_missing_file_and_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read \(No such file"):
        load_protocol(str(tmp_path / "none.yaml"))
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UserError, match="not a text file"):
        load_protocol(str(tmp_path / "b.yaml"))


def test_file_and_shipped_protocol_are_read_alike(tiny_file: Path, tiny: Protocol) -> None:
    assert load_protocol(str(tiny_file)).hash == tiny.hash
    assert yaml.safe_load(tiny_file.read_text())["name"] == tiny.name
