"""Writing the site: what an earlier one left goes, what is not ours stays."""

from __future__ import annotations

import threading
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from viewsweep.leaderboard.site import build_site, serve
from viewsweep.leaderboard.site.addresses import method_page, slug
from viewsweep.leaderboard.site.folder import LIST, write_site
from viewsweep.scenes.errors import UserError

from .made_board import board, entry


def test_pages_that_are_gone_are_removed(tmp_path: Path) -> None:
    build_site(board([entry("a"), entry("b")]), tmp_path / "out")
    build_site(board([entry("a")]), tmp_path / "out")
    assert (tmp_path / "out/methods/a.html").is_file()
    assert not (tmp_path / "out/methods/b.html").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with pytest.raises(UserError, match="no site of viewsweep's"):
        build_site(board([]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_list_cannot_have_files_elsewhere_removed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LIST).write_text(f"../precious\n{tmp_path}/precious\n")
    write_site(tmp_path / "out", {"index.html": b"x"})
    assert (tmp_path / "precious").is_file()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="this is a file"):
        build_site(board([]), tmp_path / "out")


@pytest.mark.parametrize("address", ["http://example.org", "javascript:alert(1)", "example.org"])
def test_addresses_are_https(address: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="https://"):
        build_site(board([]), tmp_path, repository=address)


@given(st.lists(st.text(max_size=60), unique=True, max_size=8))
@settings(max_examples=50, deadline=None)
def test_slugs_are_safe_and_different(names: list[str]) -> None:
    slugs = [slug(name) for name in names]
    assert len({one.lower() for one in slugs}) == len(names)
    assert all(set(one) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-") and len(one) < 100 for one in slugs)
    assert not [one for one in slugs if one.startswith(".")]


@pytest.mark.parametrize("name", ["../x", "a/b", "", "A", "a\n"])
def test_a_name_that_is_none_gets_no_page(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        method_page(name)


def test_it_is_served_to_this_machine(site: Path) -> None:
    address: list[str] = []
    told = threading.Event()

    def ready(where: str) -> None:
        address.append(where)
        told.set()

    threading.Thread(target=serve, args=(site,), kwargs={"port": 0, "ready": ready}, daemon=True).start()
    assert told.wait(10)
    assert address[0].startswith("http://127.0.0.1:")
    with urllib.request.urlopen(address[0]) as answer:
        assert answer.read() == (site / "index.html").read_bytes()
    for path in ("methods/", "../../etc/passwd", "nothing.html"):
        with pytest.raises(HTTPError, match="404") as caught:
            urllib.request.urlopen(address[0] + path)
        caught.value.close()
