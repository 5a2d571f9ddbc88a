"""Protocols: hashes that mean something, and faults told with their line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from viewsweep.benchmark.protocol import Protocol, load_protocol, protocol_from_record, protocol_names
from viewsweep.scenes import tabletop
from viewsweep.scenes.errors import UnknownName, UnreadableFile, UserError


def test_shipped_protocols_load() -> None:
    assert protocol_names() == ["tabletop64", "tabletop64-demo"]
    demo, full = load_protocol("tabletop64-demo"), load_protocol("tabletop64")
    assert (demo.scenes, full.scenes) == (8, 256)
    assert len(demo.cameras()) == 24
    assert demo.hash != full.hash


def test_shipped_protocols_name_the_installed_network_and_metrics() -> None:
    from viewsweep.benchmark.metric_catalogue import catalogue
    from viewsweep.metrics.tabletop_network import load_tabletop_network

    for name in protocol_names():
        protocol = load_protocol(name)
        assert protocol.features is not None
        assert protocol.features.sha256 == load_tabletop_network().sha256
        known = catalogue()
        for stem in protocol.metrics:
            assert protocol.uses(stem).version == known[stem].version
            assert not {"truth", "weights", "estimate"} & known[stem].needs  # nothing a laptop does not have


def test_description_stays_outside_the_hash_and_everything_else_inside(tiny: Protocol) -> None:
    assert Protocol.model_validate({**tiny.content, "description": "other"}).hash == tiny.hash
    for key, value in {"version": 2, "size": 24, "labels": "none", "metrics": {"warp_error": 2}}.items():
        assert Protocol.model_validate({**tiny.content, key: value}).hash != tiny.hash


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
