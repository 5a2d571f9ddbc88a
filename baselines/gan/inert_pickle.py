"""Read a pickle without running anything of it: unknown classes become inert placeholders.

An unpickler calls what the file names. Here it can name only what rebuilds tensors, arrays and plain containers
(`ALLOWED`); every other name, `os.system` as much as a network's class, becomes a `Placeholder` that keeps the
arguments and state it is given and does nothing. Source that a file brings along (StyleGAN's persistent classes) is
kept as text.

    objects = load(path)                 dictionaries, tensors, placeholders
    found = collect(objects)             tensors by dotted name, classes, sources

Only the standard library, torch and numpy are used: the module also runs as part of a process of its own, see
`pickle_worker`.
"""

from __future__ import annotations

import collections
import hashlib
import importlib
import io
import pickle
import re
import types
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Found", "Placeholder", "collect", "load"]

DEEPEST = 200
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"


class Placeholder:
    """Stands for an instance of a class, or the result of a function, that is not called.

    Attributes:
        name: dotted, of the class or function.
        arguments: what it was to be called with.
        state: what it was to be given afterwards.
        items: what was to be appended or set.
    """

    name = "?"
    dump_patches = False  # torch asks containers of old files for it

    def __new__(cls, *arguments: Any, **named: Any) -> Placeholder:
        made = object.__new__(cls)
        made.arguments, made.state, made.items = [*arguments, *named.values()], None, []
        return made

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    arguments: list[Any]
    state: Any
    items: list[tuple[Any, Any]]

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))

    def append(self, value: Any) -> None:
        """A list's."""
        self.items.append((len(self.items), value))

    def extend(self, values: Any) -> None:
        """A list's."""
        for value in values:
            self.append(value)

    def add(self, value: Any) -> None:
        """A set's."""
        self.append(value)

    def update(self, values: Any) -> None:
        """A set's."""
        self.extend(values)

    def __hash__(self) -> int:
        return id(self)

    def __call__(self, *arguments: Any, **named: Any) -> Placeholder:
        return _stand_in(f"{self.name}()")(*arguments, **named)


class InertUnpickler(pickle.Unpickler):
    """An unpickler that finds nothing but `ALLOWED` and placeholders."""

    def find_class(self, module: str, name: str) -> Any:
        found = ALLOWED.get(f"{module}.{name}")
        if found is not None:
            return found
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module in ("torch", "torch.cuda") and re.fullmatch(r"[A-Z][A-Za-z0-9]*Storage", name):
            return getattr(torch, name, torch.FloatStorage)
        return _stand_in(f"{module}.{name}")


@dataclass
class Found:
    """What lies in a file.

    Args:
        tensors: by dotted name.
        classes: how many objects of each class that was not built.
        sources: of each piece of embedded source: the class it is for, names it defines, lines and sha256.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    classes: collections.Counter[str] = field(default_factory=collections.Counter)
    sources: list[dict[str, Any]] = field(default_factory=list)


def load(path: Path) -> Any:
    """The objects in a pickle, or in a file of `torch.save`, with placeholders for what would be code.

    Raises:
        ValueError: a TorchScript archive, which is a program.
        pickle.UnpicklingError, EOFError, RuntimeError ...: what torch and pickle raise for damaged files.
    """
    inert = types.ModuleType("inert")  # what torch.load takes for the module pickle
    inert.__dict__.update(Unpickler=InertUnpickler, load=_load, loads=lambda data, **named: _load(io.BytesIO(data)))
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        is_zip = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        if is_zip and "constants.pkl" in torch._C.PyTorchFileReader(str(path)).get_all_records():
            raise ValueError("it is a TorchScript archive, a program rather than weights")
        if is_zip or _is_legacy_torch(file):
            return torch.load(file, map_location="cpu", pickle_module=inert, weights_only=False)
        return _load(file)


def collect(root: Any) -> Found:
    """Everything in `root`: tensors by the names modules, dictionaries, lists and attributes give them."""
    found = Found()
    _visit(root, "", found, set(), 0)
    return found


def _visit(value: Any, path: str, found: Found, above: set[int], depth: int) -> None:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.dtype.isnative:
        value = torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, Tensor):
        name, number = path or "tensor", 2
        while name in found.tensors:
            name, number = f"{path}#{number}", number + 1
        found.tensors[name] = value.detach()
        return
    if depth > DEEPEST or id(value) in above or not isinstance(value, (dict, list, tuple, Placeholder)):
        return
    for name, part in _parts(value, found):
        _visit(part, f"{path}.{name}" if path and name else path or name, found, above | {id(value)}, depth + 1)


def _parts(value: Any, found: Found) -> list[tuple[str, Any]]:
    """What lies directly below, with the name each has there; modules hide how they store their parts."""
    if isinstance(value, Placeholder):
        record = _persistent(value)
        if record is not None:
            found.classes[str(record.get("class_name", "?"))] += 1
            _note_source(record, found)
            return _attributes(record.get("state"))
        found.classes[value.name] += 1
        return [
            *[("", argument) for argument in value.arguments],
            *[(str(key), item) for key, item in value.items],
            *_attributes(value.state),
        ]
    if isinstance(value, dict):
        return _attributes(value)
    return [(str(index), part) for index, part in enumerate(value)]


def _attributes(state: Any) -> list[tuple[str, Any]]:
    if isinstance(state, tuple) and len(state) == 2 and all(isinstance(part, (dict, type(None))) for part in state):
        return _attributes(state[0]) + _attributes(state[1])  # __dict__ and slots
    if not isinstance(state, dict):
        return [("", state)]
    inside = [name for name in ("_parameters", "_buffers", "_modules") if name in state]
    parts = [pair for name in inside for pair in _pairs(state[name])]
    return parts + [(str(key), part) for key, part in state.items() if key not in inside]


def _pairs(value: Any) -> list[tuple[str, Any]]:
    items = value.items() if isinstance(value, dict) else value.items if isinstance(value, Placeholder) else []
    return [(str(key), part) for key, part in items]


def _persistent(value: Placeholder) -> dict[str, Any] | None:
    """The record of a StyleGAN object that brings its source along."""
    if value.name != PERSISTENT or not value.arguments:
        return None
    record = value.arguments[0]
    if isinstance(record, dict):
        return record
    return {str(key): part for key, part in record.items} if isinstance(record, Placeholder) else None


def _note_source(record: dict[str, Any], found: Found) -> None:
    source = record.get("module_src")
    if isinstance(source, str):
        digest = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
        if all(known["sha256"] != digest for known in found.sources):
            names = re.findall(r"^(?:class|def)\s+(\w+)", source, re.MULTILINE)
            lines = source.count("\n") + 1
            found.sources.append(
                {"for": str(record.get("class_name")), "defines": names, "lines": lines, "sha256": digest}
            )


def _stand_in(name: str) -> type[Placeholder]:
    return type("Placeholder", (Placeholder,), {"name": name})


def _load(file: IO[bytes], **options: Any) -> Any:
    return InertUnpickler(file, encoding=options.get("encoding", "latin1")).load()


def _is_legacy_torch(file: IO[bytes]) -> bool:
    """Whether a file begins with the magic number of `torch.save` before version 1.6; the place is kept."""
    try:
        return bool(_load(file) == torch.serialization.MAGIC_NUMBER)
    except Exception:
        return False  # whatever it is, reading it as a plain pickle says so
    finally:
        file.seek(0)


def _storage(data: bytes) -> Any:
    """A storage that was pickled as the bytes of a file of its own."""
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return text.encode(encoding)


def _parameter(data: Any, *rest: Any) -> Any:
    return data


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Any:
    return torch._utils._rebuild_tensor(storage, offset, size, stride)


def _instance(kind: Any, base: Any, state: Any) -> Any:
    """`copyreg._reconstructor`: an object of a class of before Python's protocol 2."""
    return kind(state) if isinstance(kind, type) and issubclass(kind, Placeholder) else _stand_in(str(kind))(state)


ARRAYS = importlib.import_module("numpy._core.multiarray")  # numpy.core in files from before numpy 2

ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": lambda *arguments: {},
    "copyreg._reconstructor": _instance,
    "copy_reg._reconstructor": _instance,
    "_codecs.encode": _encode,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.storage._load_from_bytes": _storage,
    "torch.Size": torch.Size,
    "torch.device": torch.device,
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    "numpy.core.multiarray._reconstruct": ARRAYS._reconstruct,
    "numpy._core.multiarray._reconstruct": ARRAYS._reconstruct,
    "numpy.core.multiarray.scalar": ARRAYS.scalar,
    "numpy._core.multiarray.scalar": ARRAYS.scalar,
} | {
    f"{module}.{kind.__name__}": kind
    for module in ("builtins", "__builtin__")
    for kind in (set, frozenset, bytearray, complex, slice, int, float, bool, str, bytes)
}
"""All that is ever called."""
