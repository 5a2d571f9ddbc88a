"""Methods by name: ours, installed ones, and files and trained folders of your own.

    oracle                    a built-in, imported when it is asked for
    acme-large                an entry point of the group `viewsweep.methods` in any installed package
    package.module:Class      a class or loader function on the import path
    file.py, file.py:Class    a Python file; without a name, its one class with `generate` and `info`
    train/eg3d/generator      a folder that `viewsweep train` wrote, see `trained_folder`

A class or loader is called with `device` and `batch_size` where it takes them.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from ..scenes.errors import UnknownName, UserError
from ..scenes.generator import Generator
from .fingerprint import sha256_file, sha256_json, source_fingerprint
from .method_record import info_record
from .trained_folder import folder_hashes, folder_name, has_configuration, is_trained_folder, trained_target

__all__ = ["BUILT_IN", "GROUP", "Method", "check_device", "find_method", "is_own", "load_method", "method_names"]

GROUP = "viewsweep.methods"

BUILT_IN = {
    "oracle": "viewsweep.baselines.reference.oracle:Oracle",
    "frozen": "viewsweep.baselines.reference.frozen:Frozen",
    "billboard": "viewsweep.baselines.reference.billboard:Billboard",
    "noise": "viewsweep.baselines.reference.noise:Noise",
    "blurred": "viewsweep.baselines.reference.blurred:Blurred",
    "janus": "viewsweep.baselines.reference.janus:Janus",
    "drift": "viewsweep.baselines.reference.drift:Drift",
    "switch": "viewsweep.baselines.reference.switch:Switch",
    "jitter": "viewsweep.baselines.reference.jitter:Jitter",
    "wobble": "viewsweep.baselines.reference.wobble:Wobble",
    "truth": "viewsweep.baselines.reference.truth:Truth",
    "possible": "viewsweep.baselines.reference.possible:Possible",
    "completion-mean": "viewsweep.baselines.reference.completion_mean:CompletionMean",
    "completion-copy": "viewsweep.baselines.reference.completion_copy:CompletionCopy",
    "completion-nearest": "viewsweep.baselines.reference.completion_nearest:CompletionNearest",
    "ivid-small": "viewsweep.baselines.ivid.method:load_small",
    "ivid-paper": "viewsweep.baselines.ivid.paper:load_paper",
    "ivid-fusion-small": "viewsweep.baselines.ivid.fusion_method:load_fusion_small",
    "ivid-upsampled-small": "viewsweep.baselines.ivid.upsampler_method:load_small_upsampled",
    "ivid-fusion-paper": "viewsweep.baselines.ivid.fusion_method:load_fusion_paper",
    "pigan-small": "viewsweep.baselines.gan.method:load_pigan_small",
    "eg3d-small": "viewsweep.baselines.gan.method:load_eg3d_small",
    "epigraf-small": "viewsweep.baselines.gan.method:load_epigraf_small",
    "pigan-paper": "viewsweep.baselines.gan.method:load_pigan_paper",
    "eg3d-paper": "viewsweep.baselines.gan.method:load_eg3d_paper",
    "dfm-small": "viewsweep.baselines.dfm.method:load_dfm_small",
    "pixelnerf-small": "viewsweep.baselines.dfm.method:load_pixelnerf_small",
    "dfm-motion-small": "viewsweep.baselines.dfm.method:load_motion_small",
    "dfm-inversion-small": "viewsweep.baselines.dfm.method:load_inversion_small",
    "epigraf-paper": "viewsweep.baselines.gan.method:load_epigraf_paper",
}

UNSHIPPED = frozenset({"eg3d-paper", "epigraf-paper", "ivid-fusion-paper", "ivid-paper", "pigan-paper"})
"""Built-in methods whose weights the user brings: whether those have changed is known only by loading them."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LEGAL = "Names are lower-case letters, digits, dots and dashes."


@dataclass(frozen=True)
class Method:
    """A method that was found but, unless it is your own file or class, not yet loaded.

    Args:
        name: the folder its scenes go to and its name in tables.
        origin: where it comes from, for people.
        load: makes the generator; takes device and batch size.
        fingerprint: hash of its source and weights, or None where that cannot be known without
            loading it.
    """

    name: str
    origin: str
    load: Callable[[str, int | None], Generator]
    fingerprint: Callable[[], str | None]


def method_names() -> dict[str, str]:
    """Every registered name and where it comes from; names that clash say so."""
    found = {name: f"built-in ({target})" for name, target in BUILT_IN.items()}
    for name, points in _installed().items():
        origins = [_origin(point) for point in points]
        found[name] = " and ".join([*([found[name]] if name in found else []), *origins])
    return dict(sorted(found.items()))


def load_method(name: str, device: str = "cpu", batch_size: int | None = None) -> Generator:
    """The generator of that name, with its weights, ready to draw.

    Args:
        name: a registered name, ``module:Class``, ``file.py`` with or without ``:Class``, or a trained folder.
        device: `cpu` or `cuda`, handed to methods that take it.
        batch_size: how many scenes will be asked for at once, handed to methods that take it.

    Raises:
        UnknownName: nobody registered that name; the nearest are offered.
        UserError: two packages claim the name, or it is there but is no generator.

    Example:
        >>> load_method("frozen").info().name
        'frozen'
    """
    check_device(device)
    return find_method(name, device, batch_size).load(device, batch_size)


def check_device(device: str) -> None:
    """Refuse a device that is not there, before anything is loaded on it.

    Raises:
        UserError: no such device on this machine.
    """
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UserError(f"There is no device '{device}'. Use cpu or cuda.") from error
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise UserError(
                "--device cuda: torch finds no usable GPU here. Use --device cpu; `viewsweep doctor` tells more."
            )
        index = torch.device(device).index or 0
        if index >= torch.cuda.device_count():
            raise UserError(f"--device {device}: this machine has {torch.cuda.device_count()} GPU(s), counted from 0.")
    elif kind != "cpu":
        raise UserError(f"--device {device}: viewsweep runs on cpu or cuda.")


def find_method(name: str, device: str = "cpu", batch_size: int | None = None) -> Method:
    """Where `name` leads. A file or class of your own is loaded at once: only it knows its name."""
    if _is_file(name):
        stem, _, attribute = (name, "", "") if name.endswith(".py") else name.rpartition(":")
        path = Path(stem)
        return _own(lambda: _from_file(path, attribute), name, device, batch_size, path)
    if ":" in name:
        return _own(lambda: _from_module(name), name, device, batch_size)
    points = _installed().get(name, [])
    if len(points) + (name in BUILT_IN) > 1:
        raise UserError(
            f"The method name '{name}' is claimed twice: {method_names()[name]}. "
            "Uninstall one of them, or name the one you mean as module:Class."
        )
    if points:
        if not NAME.fullmatch(name):
            raise UserError(f"{_origin(points[0])} registers the name {name!r}. {LEGAL}")
        return Method(name, _origin(points[0]), _loader(lambda: _resolve(points[0]), name), lambda: None)
    if name not in BUILT_IN:
        if is_trained_folder(name):
            return _trained(name)
        hint = "module:Class, a path to a .py file and the folder of a trained generator work as well."
        raise UnknownName("method", name, method_names(), hint=hint)
    target = BUILT_IN[name]
    folders = ("/".join(target.split(":")[0].split(".")[1:-1]), "scenes")

    def fingerprint() -> str | None:
        return None if name in UNSHIPPED else source_fingerprint(*folders)

    return Method(name, f"built-in ({target})", _loader(lambda: _from_module(target), name), fingerprint)


def is_own(name: str) -> bool:
    """Whether `name` is a file or class of the user's, which has to be loaded to know what it is called."""
    return _is_file(name) or ":" in name


def _is_file(name: str) -> bool:
    return name.endswith(".py") or ".py:" in name


def _own(
    find: Callable[[], Callable[..., Any]], spec: str, device: str, batch_size: int | None, path: Path | None = None
) -> Method:
    try:
        generator = _call(find(), spec, device, batch_size)
        info = generator.info()
        name = info.name
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{spec}: cannot be set up ({type(error).__name__}: {error}).") from error
    if not NAME.fullmatch(name):
        raise UserError(f"{spec}: info() gives the name {name!r}. {LEGAL}")
    if name in method_names():
        raise UserError(
            f"{spec}: its info() claims the name '{name}', which is {method_names()[name]}. Choose another."
        )

    def fingerprint() -> str | None:  # what the file imports or loads can only show in its info
        return None if path is None else sha256_json([sha256_file(path), info_record(info)])

    return Method(name, spec, lambda device, batch_size: generator, fingerprint)


def _trained(spec: str) -> Method:
    folder = Path(spec)
    target, name = trained_target(folder), folder_name(folder)
    if name in method_names():
        raise UserError(
            f"{spec}: from its folder it would be called '{name}', which is {method_names()[name]}. Rename the folder."
        )
    if not has_configuration(folder):
        _from_module(target)(folder, name=name)  # refuses it, and does so before a run is begun
    sources = ("/".join(target.split(":")[0].split(".")[1:-1]), "scenes")

    def load(device: str, batch_size: int | None) -> Generator:
        found: Generator = _from_module(target)(folder, name=name, device=device)
        return found

    def fingerprint() -> str:
        return sha256_json([source_fingerprint(*sources), folder_hashes(folder)])

    return Method(name, f"a trained folder ({spec})", load, fingerprint)


def _loader(find: Callable[[], Callable[..., Any]], spec: str) -> Callable[[str, int | None], Generator]:
    return lambda device, batch_size: _call(find(), spec, device, batch_size)


def _call(factory: Callable[..., Any], spec: str, device: str, batch_size: int | None) -> Generator:
    offered: dict[str, Any] = {"device": device} | ({} if batch_size is None else {"batch_size": batch_size})
    parameters = inspect.signature(factory).parameters
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    generator = factory(**{key: value for key, value in offered.items() if takes_all or key in parameters})
    if not isinstance(generator, Generator):
        raise UserError(f"{spec}: gave a {type(generator).__name__}; a method needs generate(requests) and info().")
    return generator


def _from_module(target: str) -> Callable[..., Any]:
    module_name, _, attribute = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise UserError(f"{target}: there is no module '{error.name}' on the import path.") from error
        raise
    return _attribute(module, attribute, target)


def _from_file(path: Path, attribute: str) -> Callable[..., Any]:
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such file; a method file holds a class with generate(requests) and info()."
        )
    name = f"viewsweep_method_{sha256_file(path)[:16]}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise UserError(f"{path}: cannot be imported as Python.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and pickling look a class up through its module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(
            f"{_line_at_fault(path, error)}: cannot be imported ({type(error).__name__}: {error})."
        ) from error
    if attribute:
        return _attribute(module, attribute, str(path))
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and value.__module__ == name
        and all(callable(getattr(value, part, None)) for part in ("generate", "info"))
    ]
    if len(classes) != 1:
        names = ", ".join(found.__name__ for found in classes) or "none"
        raise UserError(f"{path}: needs one class with generate and info, found {names}. Name it: {path}:Class.")
    return classes[0]


def _attribute(module: ModuleType, attribute: str, spec: str) -> Callable[..., Any]:
    value = getattr(module, attribute, None)
    if value is None:
        public = [name for name, item in vars(module).items() if inspect.isclass(item) or inspect.isfunction(item)]
        raise UnknownName(f"class in {spec}", attribute, public)
    if not callable(value):
        raise UserError(f"{spec}: {attribute} is a {type(value).__name__}; a class or a loader function is needed.")
    return value  # type: ignore[no-any-return]  # checked to be callable


def _line_at_fault(path: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{path}:{error.lineno}"
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}:{line}" if line else str(path)


def _installed() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found


def _resolve(point: EntryPoint) -> Callable[..., Any]:
    return point.load()  # type: ignore[no-any-return]  # whatever the package registered


def _origin(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an installed package"
    return f"{package} ({point.value})"
