from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from viewsweep.benchmark import offline
from viewsweep.metrics import weight_files
from viewsweep.metrics.weight_files import WEIGHT_FILES, installed_weights, weight_folder, weight_path
from viewsweep.scenes.errors import UnknownName, UserError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """A server of one file on this machine, that can cut connections off and knows what it was asked."""

    url: str = ""
    content: bytes = CONTENT
    cut_after: list[int] = field(default_factory=list)  # bytes sent before an answer breaks off, one an answer
    status: list[int] = field(default_factory=list)  # statuses of answers without content
    resumes: bool = True
    asked: list[str | None] = field(default_factory=list)  # the Range of each request


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if state.status:
                self.send_error(state.status.pop(0))
                return
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and state.resumes else 0
            body = state.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cut_after.pop(0)] if state.cut_after else body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{running.server_port}/inception-2015-12-05.pt"
        yield state
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, no weights named elsewhere, no network but this machine's, and no waiting."""
    for entry in WEIGHT_FILES.values():
        monkeypatch.delenv(entry.variable, raising=False)
    monkeypatch.setenv("VIEWSWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(weight_files, "PAUSE", 0.0)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, server: Server) -> Server:
    """The server, with all entries pointing to it and expecting its content."""
    for name, entry in WEIGHT_FILES.items():
        monkeypatch.setitem(WEIGHT_FILES, name, replace(entry, url=server.url, sha256=SHA256, shared=None))
    return server


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def kept() -> list[str]:
    """Files in the folder of weights, but for the lock."""
    return sorted(path.name for path in weight_folder().rglob("*") if path.is_file() and path.suffix != ".lock")


def test_every_entry_pins_a_whole_hash() -> None:
    assert all(re.fullmatch("[0-9a-f]{64}", entry.sha256) for entry in WEIGHT_FILES.values())
    assert WEIGHT_FILES["alexnet"].file == f"alexnet-owt-{WEIGHT_FILES['alexnet'].sha256[:8]}.pth"
    assert WEIGHT_FILES["vgg16"].file == f"vgg16-{WEIGHT_FILES['vgg16'].sha256[:8]}.pth"


def test_inception_comes_from_where_clean_fid_gets_it() -> None:
    from cleanfid.downloads_helper import inception_url

    assert WEIGHT_FILES["inception"].url == inception_url


@pytest.mark.parametrize(("name", "architecture"), [("alexnet", "AlexNet"), ("vgg16", "VGG16")])
def test_backbones_come_from_where_torchvision_gets_them(name: str, architecture: str) -> None:
    from torchvision import models

    weights = getattr(models, f"{architecture}_Weights").IMAGENET1K_V1
    assert WEIGHT_FILES[name].url == weights.url


def test_a_file_is_downloaded_once(table: Server) -> None:
    said: list[str] = []
    first = weight_path("inception", say=said.append)
    assert first.read_bytes() == CONTENT
    assert weight_path("inception", say=said.append) == first
    assert len(table.asked) == len(said) == 1
    assert kept() == ["inception-2015-12-05.pt"]


def test_a_broken_connection_is_taken_up_where_it_broke(table: Server) -> None:
    table.cut_after = [100_000, 50_000]
    assert weight_path("inception").read_bytes() == CONTENT
    assert table.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_that_does_not_resume_is_asked_for_all_again(table: Server) -> None:
    table.cut_after, table.resumes = [100_000], False
    assert weight_path("inception").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(table: Server) -> None:
    table.status = [503]
    assert weight_path("inception").read_bytes() == CONTENT


def test_a_connection_that_keeps_breaking_leaves_nothing(table: Server) -> None:
    table.cut_after = [1000] * 9
    with pytest.raises(UserError, match=r"could not be downloaded \(the connection broke after 3,000 bytes\)"):
        weight_path("inception")
    assert kept() == []


def test_a_file_that_is_gone_is_asked_for_once(table: Server) -> None:
    table.status = [404, 404]
    with pytest.raises(UserError, match="HTTP Error 404"):
        weight_path("inception")
    assert len(table.asked) == 1


def test_a_failed_download_is_not_tried_again_at_once(table: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    table.status = [404]
    for _ in range(3):
        with pytest.raises(UserError, match="HTTP Error 404"):
            weight_path("inception")
    assert len(table.asked) == 1
    monkeypatch.setattr(weight_files, "REMEMBERED", 0.0)  # after a while it is
    assert weight_path("inception").read_bytes() == CONTENT


def test_installed_weights_are_found_without_a_download(table: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed_weights() == {}
    own = put(weight_folder() / WEIGHT_FILES["vgg16"].file)
    monkeypatch.setenv(WEIGHT_FILES["inception"].variable, str(own.parent))
    assert installed_weights() == {"inception": own.parent, "vgg16": own}
    assert table.asked == []


def test_a_download_with_the_wrong_content_is_thrown_away(table: Server) -> None:
    table.content = b"sorry"
    found = hashlib.sha256(b"sorry").hexdigest()
    message = f"Expected sha256 {SHA256}, found {found} (5 bytes); it was thrown away."
    with pytest.raises(UserError, match=re.escape(message)):
        weight_path("inception")
    assert kept() == []


def test_leftovers_of_a_killed_process_are_cleared(table: Server) -> None:
    put(weight_folder() / ".inception-2015-12-05.pt.abc.tmp", b"half")
    other = put(weight_folder() / ".vgg16-397923af.pth.abc.tmp", b"being written by somebody else")
    weight_path("inception")
    assert kept() == [other.name, "inception-2015-12-05.pt"]


def test_two_at_once_download_once(table: Server) -> None:
    threads = [threading.Thread(target=weight_path, args=("inception",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(table.asked) == 1
    assert kept() == ["inception-2015-12-05.pt"]


@pytest.mark.parametrize("as_folder", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("how", ["argument", "variable"])
def test_a_path_given_comes_first(
    how: str, as_folder: bool, table: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path / "mine" / "model.safetensors")
    given = file.parent if as_folder else file
    if how == "variable":
        monkeypatch.setenv("VIEWSWEEP_WEIGHTS_DINOV2", str(given))
    assert weight_path("dinov2", given if how == "argument" else None) == file
    assert table.asked == []


def test_a_path_given_in_vain_is_not_passed_over(table: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIEWSWEEP_WEIGHTS_VGG16", "/nowhere/vgg.pth")
    with pytest.raises(UserError, match=re.escape("/nowhere/vgg.pth (from VIEWSWEEP_WEIGHTS_VGG16): there is no")):
        weight_path("vgg16")
    assert table.asked == []


def test_a_file_with_the_wrong_hash_is_not_used(tmp_path: Path) -> None:
    file = put(tmp_path / "net.pt", b"other weights")
    with pytest.raises(UserError) as caught:
        weight_path("inception", file)
    message = str(caught.value)
    for part in (str(file), WEIGHT_FILES["inception"].sha256, hashlib.sha256(b"other weights").hexdigest()):
        assert part in message
    assert "VIEWSWEEP_WEIGHTS_INCEPTION" in message
    assert file.exists()


def test_a_changed_file_is_read_anew(table: Server, tmp_path: Path) -> None:
    file = put(tmp_path / "net.pt")
    weight_path("inception", file)
    put(file, b"changed")
    with pytest.raises(UserError, match="not the weights"):
        weight_path("inception", file)


def test_the_caches_of_others_are_searched(monkeypatch: pytest.MonkeyPatch, table: Server, tmp_path: Path) -> None:
    monkeypatch.setitem(WEIGHT_FILES, "vgg16", replace(WEIGHT_FILES["vgg16"], shared="torch"))
    file = put(tmp_path / "torch" / "hub" / "checkpoints" / "vgg16-397923af.pth")
    assert weight_path("vgg16") == file
    assert table.asked == []


def test_torch_keeps_its_downloads_where_we_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    for home in (str(tmp_path / "elsewhere"), None):
        monkeypatch.setenv("TORCH_HOME", home) if home else monkeypatch.delenv("TORCH_HOME")
        shared = weight_files._shared(WEIGHT_FILES["vgg16"])
        assert shared == Path(torch.hub.get_dir()) / "checkpoints" / "vgg16-397923af.pth"


def test_offline_says_what_is_missing_and_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    for switch in offline.SWITCHES:
        monkeypatch.setenv(switch, "1")
    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect)  # so that both come back afterwards
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    offline.go_offline()
    with pytest.raises(UserError) as caught:
        weight_path("inception")
    entry = WEIGHT_FILES["inception"]
    assert str(caught.value) == (
        "The weights 'inception', needed for FID, KID and Inception Score with Inception features, are not on this "
        f"machine, and {entry.url} could not be downloaded (--offline). Run `viewsweep fetch inception` with a "
        f"network, or get it from {entry.url} elsewhere and put it at {weight_folder() / entry.file}, "
        "or name its place in VIEWSWEEP_WEIGHTS_INCEPTION."
    )


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean inception"):
        weight_path("inceptoin")


def test_the_cache_of_hugging_face_is_searched(monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: Path) -> None:
    from huggingface_hub import constants, file_download

    entry = WEIGHT_FILES["dinov2"]
    revision = re.findall("[0-9a-f]{40}", entry.url)[0]
    for module in (constants, file_download):
        monkeypatch.setattr(module, "HF_HUB_CACHE", str(tmp_path / "hub"), raising=False)
    monkeypatch.setitem(WEIGHT_FILES, "dinov2", replace(entry, sha256=SHA256))
    file = put(tmp_path / "hub" / "models--facebook--dinov2-large" / "snapshots" / revision / "model.safetensors")
    assert weight_path("dinov2") == file
    assert server.asked == []
