"""Load a method, try it, and put all checks in order."""

from __future__ import annotations

from collections.abc import Callable

from ...scenes.errors import UserError
from ..registry import check_device, find_method
from .answers import check_answers, check_colours, check_finite, check_info, check_order
from .check import Check, skipped
from .conventions import CAMERA, DEPTH, check_conventions
from .repeats import check_batches, check_cameras, check_labels, check_random_state, check_repeats, check_seeds
from .trial import make_requests, run_trial

__all__ = ["DEFAULT_SIZE", "check_conformance"]

DEFAULT_SIZE = 64
SMALLEST_SIZE = 16
VIEWS, QUICK_VIEWS = 8, 4
LATER = (
    "finite",
    "colours",
    "repeats",
    "batches",
    "random state",
    "seeds",
    "labels",
    "cameras",
    DEPTH,
    CAMERA,
)


def check_conformance(
    name: str,
    *,
    device: str = "cpu",
    size: int | None = None,
    quick: bool = False,
    log: Callable[[str], object] = lambda line: None,
) -> list[Check]:
    """Every check of one method, in the order they build on one another.

    Args:
        name: as for `load_method`: registered, ``module:Class`` or ``file.py``.
        device: `cpu` or `cuda`.
        size: of the pictures; by default the size the method was made for, or 64.
        quick: half the views, and no batch in the reverse order.
        log: told what is being drawn.

    Raises:
        UserError: there is no such method or device, or it cannot be loaded.
    """
    check_device(device)
    if size is not None and size < SMALLEST_SIZE:
        raise UserError(f"--size {size}: at least {SMALLEST_SIZE} pixels, or nothing can be seen.")
    method = find_method(name, device)
    generator = method.load(device, None)
    info = generator.info()
    checks = [check_info(method.name, info, generator.info())]
    if checks[0].verdict == "fault":
        return [*checks, *_not_reached(("interface", "order", *LATER), "info() has to be right first")]
    requests = make_requests(info, size or info.native_size or DEFAULT_SIZE, QUICK_VIEWS if quick else VIEWS)
    trial = run_trial(generator, info, requests, quick=quick, log=log)
    checks += [check_answers(trial), check_order(trial)]
    if any(check.verdict == "fault" for check in checks):
        return [*checks, *_not_reached(LATER, "the interface has to be right first")]
    log("carrying views into one another")
    checks += [
        check_finite(trial),
        check_colours(trial),
        check_repeats(trial),
        check_batches(trial),
        check_random_state(trial),
        check_seeds(trial),
        check_labels(trial),
        check_cameras(trial),
    ]
    if checks[-1].verdict == "fault":
        return [*checks, *_not_reached((DEPTH, CAMERA), "the camera is ignored")]
    return [*checks, *check_conventions(trial.scenes, info.has_depth)]


def _not_reached(names: tuple[str, ...], reason: str) -> list[Check]:
    return [skipped(name, f"not checked: {reason}") for name in names]
