"""Archives of scenes: equal scenes give equal bytes, and nothing hostile is unpacked or leaves its folder."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from viewsweep.leaderboard.archive import Limits, check_archive, open_archive, write_archive
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.scene import Scene, load_scene, save_scene

KINDS = (".tar", ".zip")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes as a run has them, with the record that belongs to the run alone."""
    folder = tmp_path_factory.mktemp("scenes")
    for index in range(3):
        rgb = torch.full((2, 8, 8, 3), index, dtype=torch.uint8)
        save_scene(folder / f"{index:05d}.safetensors", Scene(rgb, seed=index))
    (folder / "method.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def one(scenes: Path) -> bytes:
    return (scenes / "00000.safetensors").read_bytes()


def said(path: Path, limits: Limits | None = None) -> str:
    return "\n".join(map(str, check_archive(path, limits=limits)))


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_in_comes_out(kind: str, scenes: Path, tmp_path: Path) -> None:
    made = write_archive(scenes, tmp_path / f"a{kind}")
    assert made.scenes == 3
    assert made.bytes == (tmp_path / f"a{kind}").stat().st_size
    assert check_archive(tmp_path / f"a{kind}", expected_sha256=made.sha256) == []
    with open_archive(tmp_path / f"a{kind}", expected_sha256=made.sha256) as folder:
        names = sorted(path.name for path in folder.iterdir())
        assert names == [f"{index:05d}.safetensors" for index in range(3)]
        for name in names:
            assert (folder / name).read_bytes() == (scenes / name).read_bytes()
        assert load_scene(folder / names[2]).seed == 2
    assert not folder.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scenes_give_equal_bytes(kind: str, scenes: Path, tmp_path: Path) -> None:
    first = write_archive(scenes, tmp_path / f"a{kind}")
    copies = tmp_path / "copies"
    copies.mkdir()
    for index in (2, 0, 1):
        name = f"{index:05d}.safetensors"
        (copies / name).write_bytes((scenes / name).read_bytes())
        os.utime(copies / name, (1, 10_000_000 * index + 1))
        os.chmod(copies / name, 0o600)
    assert write_archive(copies, tmp_path / f"b{kind}") == first
    assert os.listdir(tmp_path).count(f"b{kind}") == 1
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]


def test_an_empty_folder_and_another_ending_are_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no scenes"):
        write_archive(tmp_path, tmp_path / "a.tar")
    with pytest.raises(UserError, match=r"\.tar or \.zip"):
        write_archive(scenes, tmp_path / "a.rar")


def test_archives_of_ordinary_programs_are_read(scenes: Path, one: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(scenes / "00001.safetensors", "00001.safetensors")
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(scenes / "00001.safetensors", "00001.safetensors")
    for name in ("a.zip", "b.tar"):
        with open_archive(tmp_path / name) as folder:
            assert load_scene(folder / "00001.safetensors").seed == 1


@pytest.mark.parametrize("kind", KINDS)
def test_another_hash_is_refused_before_anything_is_read(kind: str, scenes: Path, tmp_path: Path) -> None:
    write_archive(scenes, tmp_path / f"a{kind}")
    with (
        pytest.raises(UserError, match="the entry says 0000"),
        open_archive(tmp_path / f"a{kind}", expected_sha256="0" * 64),
    ):
        pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(archive_bytes=100), "archives of up to 100"),
        (Limits(members=2), "more than 2 members"),
        (Limits(member_bytes=100), "100 are allowed"),
        (Limits(total_bytes=1000), "1000 are allowed"),
    ],
)
def test_limits(kind: str, limits: Limits, reason: str, scenes: Path, tmp_path: Path) -> None:
    write_archive(scenes, tmp_path / f"a{kind}")
    assert reason in said(tmp_path / f"a{kind}", limits)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_is_cut_off_is_refused(kind: str, share: float, scenes: Path, tmp_path: Path) -> None:
    path = tmp_path / f"a{kind}"
    write_archive(scenes, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data.rstrip(b"\0")) * share)])
    with pytest.raises(UserError), open_archive(path):
        pass


def test_a_member_that_is_no_scene_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("00000.safetensors", b"not a scene")
    with pytest.raises(UserError, match="is no scene file"), open_archive(tmp_path / "a.zip"):
        pass


def test_a_zip_whose_table_of_contents_lies_about_sizes_is_refused(one: bytes, tmp_path: Path) -> None:
    """The announced size is small, the stream unfolds to much more."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("00000.safetensors", b"\0" * 1_000_000)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 2000)
    path.write_bytes(data)
    with pytest.raises(UserError), open_archive(path):
        pass


def test_overlapping_members_are_a_bomb(one: bytes, tmp_path: Path) -> None:
    """Many names of one and the same content: the whole is far larger than its parts."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("00000.safetensors", one)
        archive.writestr("00001.safetensors", one)
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(data)
    assert "overlap" in said(path)


def test_a_zip_with_two_tables_of_contents_is_refused(one: bytes, tmp_path: Path) -> None:
    """What follows the end, readers treat differently."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("00000.safetensors", one)
        archive.comment = b"PK\x05\x06 hidden"
    assert "table of contents" in said(path)


def test_an_encrypted_member_is_refused(one: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("00000.safetensors", one)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in said(path)


def test_something_behind_the_end_of_a_tar_is_refused(scenes: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write_archive(scenes, path)
    path.write_bytes(path.read_bytes() + b"PK\x03\x04")
    assert "hidden behind its end" in said(path)


def test_headers_of_any_length_are_refused_unread(one: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 1000}) as tar:
        member = tarfile.TarInfo("00000.safetensors")
        member.size = len(one)
        tar.addfile(member, io.BytesIO(one))
    assert "extended header" in said(tmp_path / "a.tar")


def test_a_compressed_tar_is_refused(scenes: Path, tmp_path: Path) -> None:
    """It unfolds by a factor of a thousand, and nothing in it says to what size."""
    with tarfile.open(tmp_path / "a.tar", "w:gz") as tar:
        tar.add(scenes / "00001.safetensors", "00001.safetensors")
    assert "without compression" in said(tmp_path / "a.tar")


def test_an_archive_that_is_a_link_or_a_folder_is_refused(scenes: Path, tmp_path: Path) -> None:
    write_archive(scenes, tmp_path / "a.tar")
    (tmp_path / "b.tar").symlink_to(tmp_path / "a.tar")
    (tmp_path / "c.tar").mkdir()
    for name in ("b.tar", "c.tar", "d.tar"):
        assert check_archive(tmp_path / name)
        with pytest.raises(UserError), open_archive(tmp_path / name):
            pass


def test_what_goes_wrong_inside_is_not_blamed_on_the_archive(scenes: Path, tmp_path: Path) -> None:
    write_archive(scenes, tmp_path / "a.tar")
    with pytest.raises(FileNotFoundError), open_archive(tmp_path / "a.tar") as folder:
        (folder / "nothing").read_bytes()


PARTS = st.sampled_from(
    ["..", ".", "/", "\\", "C:", "00000", ".safetensors", "~", "\0", "x", " ", "é", "\u202e", "00001.safetensors", "0"]
)
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("".join) | st.text(max_size=12)


@given(names=st.lists(NAMES, min_size=1, max_size=4), kind=st.sampled_from(KINDS))
def test_no_name_leads_out_of_the_folder(
    names: list[str], kind: str, one: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("any")
    path, out = place / f"a{kind}", place / "out"
    out.mkdir()
    try:
        _pack(path, names, one)
    except (ValueError, UnicodeError, IndexError):
        return  # such a name cannot be written
    try:
        with open_archive(path, folder=out) as folder:
            for inside in _everything(out):
                assert inside == folder or inside.parent == folder
                assert inside == folder or (inside.is_file() and not inside.is_symlink())
    except UserError:
        pass
    assert _everything(place) == {path, out}  # nothing beside, nothing left over


@given(data=st.data())
def test_no_damage_leads_to_anything_but_a_user_error(
    data: st.DataObject, scenes: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("damaged")
    path = place / f"a{data.draw(st.sampled_from(KINDS))}"
    write_archive(scenes, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        with open_archive(path, folder=place) as folder:
            assert len(list(folder.iterdir())) <= 3
    except UserError:
        pass
    assert _everything(place) == {path}


def _pack(path: Path, names: list[str], content: bytes) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in dict.fromkeys(names):
                header = zipfile.ZipInfo("x")
                header.filename = name
                archive.writestr(header, content)
        return
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _everything(folder: Path) -> set[Path]:
    def walk() -> Iterator[Path]:
        for place, folders, files in os.walk(folder):
            yield from (Path(place) / name for name in (*folders, *files))

    return set(walk())
