"""Weights that are not shipped: where each file is looked for, and how it gets there.

`weight_path(name)` takes the first of

1. the path it is given: the file itself, or a folder that holds it;
2. the environment variable `VIEWSWEEP_WEIGHTS_<NAME>` (`VIEWSWEEP_WEIGHTS_DINOV2_CONFIG` for
   `dinov2-config`), read like a path;
3. `weights/` in the cache folder (`VIEWSWEEP_CACHE`, or the user's cache folder);
4. the cache of torch.hub or of Hugging Face, where other programs may have left the same file;
5. the network, from where it goes to 3.

Whatever the place, a file is used only if its sha256 is the one in the table: a metric's id names
its weights, so other weights must not pass under the same name. Networks of one's own are made
from their class (`InceptionNetwork(file, name=...)`) and carry a name of their own.

The hashes are those published: by torchvision in the file's name (here in full), by Hugging Face
beside the file. NVIDIA publishes none for `inception-2015-12-05.pt`; that one was confirmed by
independent projects which pin the same download.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal

from filelock import FileLock

from ..scenes.errors import UnknownName, UserError
from ..scenes.files import cache_folder, make_folder

__all__ = ["WEIGHT_FILES", "WeightFile", "file_sha256", "installed_weights", "weight_folder", "weight_path"]

ATTEMPTS = 3
PAUSE = 1.0  # seconds before the second attempt, twice that before the third
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 20
REMEMBERED = 300.0  # seconds for which a download that failed is not tried again by the same process
ADDRESS_VARIABLE = "VIEWSWEEP_WEIGHTS_"


@dataclass(frozen=True)
class WeightFile:
    """A file of weights somebody else publishes.

    Args:
        name: how viewsweep calls it.
        file: its place below the folder of weights.
        url: where it is published.
        sha256: its hash, or the first digits of it.
        bytes: its size, None if not known for certain.
        licence: of the weights.
        what_for: what needs it.
        shared: the cache of another program that may hold it.
    """

    name: str
    file: str
    url: str
    sha256: str
    bytes: int | None
    licence: str
    what_for: str
    shared: Literal["torch", "huggingface"] | None = None

    @property
    def variable(self) -> str:
        """The environment variable that says where the file lies."""
        return ADDRESS_VARIABLE + self.name.upper().replace("-", "_")


_DINOV2 = "https://huggingface.co/facebook/dinov2-large/resolve/47b73eefe95e8d44ec3623f8890bd894b6ea2d6c"

WEIGHT_FILES: dict[str, WeightFile] = {
    entry.name: entry
    for entry in (
        WeightFile(
            "inception",
            "inception-2015-12-05.pt",
            "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
            "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
            None,
            "weights by Google, Apache-2.0; the TorchScript file comes with NVIDIA's stylegan2-ada-pytorch "
            "(NVIDIA Source Code License) and states no licence of its own",
            "FID, KID and Inception Score with Inception features",
        ),
        WeightFile(
            "alexnet",
            "alexnet-owt-7be5be79.pth",
            "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            244_408_911,
            "BSD-3-Clause (torchvision), trained on ImageNet",
            "LPIPS with the AlexNet backbone",
            "torch",
        ),
        WeightFile(
            "vgg16",
            "vgg16-397923af.pth",
            "https://download.pytorch.org/models/vgg16-397923af.pth",
            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            None,
            "BSD-3-Clause (torchvision), trained on ImageNet",
            "LPIPS with the VGG-16 backbone",
            "torch",
        ),
        WeightFile(
            "dinov2",
            "dinov2-large/model.safetensors",
            f"{_DINOV2}/model.safetensors",
            "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23",
            1_217_522_888,
            "Apache-2.0",
            "FD-DINOv2: Fréchet and kernel distances with DINOv2 features",
            "huggingface",
        ),
        WeightFile(
            "dinov2-config",
            "dinov2-large/config.json",
            f"{_DINOV2}/config.json",
            "12df51c069a2dc1305e34ba71ef58bc2407ea553b75f4722a1715c1bce3bbed0",
            549,
            "Apache-2.0",
            "FD-DINOv2: the shape of the network",
            "huggingface",
        ),
    )
}
"""All files, by name."""


def weight_folder() -> Path:
    """Where downloaded weights are kept."""
    return cache_folder() / "weights"


def weight_path(
    name: str, path: str | os.PathLike[str] | None = None, *, say: Callable[[str], None] | None = None
) -> Path:
    """A file of weights on this machine, downloaded if need be, its hash checked.

    Args:
        name: one of `WEIGHT_FILES`.
        path: the file, or a folder that holds it; None looks for it, see above.
        say: told in one sentence before something is downloaded.

    Raises:
        UnknownName: no such weights.
        UserError: the file given does not exist, its hash is wrong, or it is nowhere and cannot be
            downloaded; the message says where to get it and where to put it.
    """
    if name not in WEIGHT_FILES:
        raise UnknownName("weight file", name, WEIGHT_FILES)
    entry = WEIGHT_FILES[name]
    chosen = path if path is not None else os.environ.get(entry.variable)
    if chosen:
        found = Path(chosen).expanduser()
        found = found / Path(entry.file).name if found.is_dir() else found
        if not found.is_file():
            origin = "" if path is not None else f" (from {entry.variable})"
            raise UserError(f"{found}{origin}: there is no such file of weights.", hint=_where_to_get(entry))
        return _checked(entry, found)
    own = weight_folder() / entry.file
    for place in (own, _shared(entry)):
        if place is not None and place.is_file():
            return _checked(entry, place)
    make_folder(own.parent)
    with FileLock(own.parent / f".{own.name}.lock"):
        if not own.is_file():  # another process may have fetched it meanwhile
            _fetch_once(entry, own, say)
    return own


def installed_weights() -> dict[str, Path]:
    """The files that are on this machine, by name; nothing is downloaded and no hash computed."""
    places = {
        name: (os.environ.get(entry.variable), weight_folder() / entry.file, _shared(entry))
        for name, entry in WEIGHT_FILES.items()
    }
    found = {}
    for name, candidates in places.items():
        there = [Path(place).expanduser() for place in candidates if place and Path(place).expanduser().exists()]
        if there:
            found[name] = there[0]
    return found


def file_sha256(path: Path) -> str:
    """The file's sha256; a file that did not change is read once a process."""
    state = path.stat()
    return _sha256(path, state.st_mtime_ns, state.st_size)


def _checked(entry: WeightFile, path: Path) -> Path:
    found = file_sha256(path)
    if not found.startswith(entry.sha256):
        raise UserError(
            f"{path}: these are not the weights '{entry.name}'. Expected sha256 {entry.sha256}, found {found} "
            f"({path.stat().st_size:,} bytes); the file is not used.",
            hint=f"Delete it if it is a broken download, or name the right file in {entry.variable}. "
            f"It is published at {entry.url}.",
        )
    return path


@lru_cache(maxsize=32)
def _sha256(path: Path, changed_ns: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shared(entry: WeightFile) -> Path | None:
    """Where another program would keep the file."""
    name = Path(entry.file).name
    if entry.shared == "torch":
        home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
        return Path(home).expanduser() / "hub" / "checkpoints" / name
    if entry.shared == "huggingface":
        from huggingface_hub import try_to_load_from_cache

        repository, _, revision = entry.url.removeprefix("https://huggingface.co/").partition("/resolve/")
        found = try_to_load_from_cache(repository, name, revision=revision.split("/")[0])
        return Path(found) if isinstance(found, str) else None
    return None


_FAILED: dict[Path, tuple[float, UserError]] = {}
"""When and why the download to a place failed: several metrics ask for the same file."""


def _fetch_once(entry: WeightFile, target: Path, say: Callable[[str], None] | None) -> None:
    when, error = _FAILED.get(target, (-REMEMBERED, None))
    if error is not None and time.monotonic() - when < REMEMBERED:
        raise error.with_traceback(None)
    try:
        _fetch(entry, target, say)
    except UserError as failure:
        _FAILED[target] = time.monotonic(), failure
        raise


def _fetch(entry: WeightFile, target: Path, say: Callable[[str], None] | None) -> None:
    """Download to `target`: all of it with the right hash, or nothing."""
    for leftover in target.parent.glob(f".{target.name}.*.tmp"):  # of a process that was killed
        leftover.unlink(missing_ok=True)
    if say is not None:
        size = f" ({entry.bytes / 1e6:,.0f} MB)" if entry.bytes else ""
        say(f"downloading {entry.url}{size}, for {entry.what_for}; kept at {target}")
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            _stream(entry, file)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            found, size_found = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        if not found.startswith(entry.sha256):
            raise UserError(
                f"{entry.url}: the download has the wrong content. Expected sha256 {entry.sha256}, "
                f"found {found} ({size_found:,} bytes); it was thrown away.",
                hint=f"Try again later. {_where_to_get(entry)}",
            )
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _stream(entry: WeightFile, file: IO[bytes]) -> None:
    """Write the whole content to `file`; a connection that breaks is taken up where it broke."""
    for attempt in range(ATTEMPTS):
        try:
            _stream_rest(entry.url, file)
            return
        except (OSError, http.client.HTTPException, UserError) as error:  # UserError: --offline
            if isinstance(error, UserError) or _is_final(error) or attempt == ATTEMPTS - 1:
                why = "--offline" if isinstance(error, UserError) else str(error) or type(error).__name__
                raise UserError(
                    f"The weights '{entry.name}', needed for {entry.what_for}, are not on this machine, and "
                    f"{entry.url} could not be downloaded ({why.rstrip('.')}).",
                    hint=_where_to_get(entry),
                ) from error
            time.sleep(PAUSE * (attempt + 1))


def _is_final(error: Exception) -> bool:
    """Whether the server answered, and would answer the same again."""
    return isinstance(error, urllib.error.HTTPError) and error.code < 500


def _stream_rest(url: str, file: IO[bytes]) -> None:
    have = file.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        if answer.status != 206:  # the server does not resume: start anew
            file.seek(0)
            file.truncate()
        promised, got = answer.headers.get("Content-Length"), 0
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            got += len(chunk)
        if promised is not None and got != int(promised):
            raise ConnectionError(f"the connection broke after {file.tell():,} bytes")


def _where_to_get(entry: WeightFile) -> str:
    return (
        f"Run `viewsweep fetch {entry.name}` with a network, or get it from {entry.url} elsewhere and put it at "
        f"{weight_folder() / entry.file}, or name its place in {entry.variable}."
    )
