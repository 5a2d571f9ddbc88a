"""What there is, by kind, and all there is to know about one of them."""

from __future__ import annotations

import sys
from typing import Any

from ..scenes.errors import UnknownName
from ..scenes.tabletop import CLASSES
from .method_record import info_record
from .metric_catalogue import catalogue
from .protocol import load_protocol, protocol_names
from .registry import is_own, load_method, method_names
from .trained_folder import is_trained_folder

__all__ = ["describe", "entries_of"]

NETWORK = "tabletop"  # whose name stands in the ids of set metrics


def entries_of(kind: str) -> dict[str, str]:
    """Names and meanings of all `methods`, `protocols`, `metrics` or `classes`.

    Raises:
        UnknownName: another kind.
    """
    listings = {"methods": method_names, "protocols": _protocols, "metrics": _metrics, "classes": _classes}
    if kind not in listings:
        raise UnknownName("kind of thing", kind, listings)
    return listings[kind]()


def describe(name: str) -> dict[str, Any]:
    """The protocol, method or metric of that name, as plain JSON values under its kind.

    Raises:
        UnknownName: there is none.
        UserError: it is a file, and faulty.
    """
    from ..metrics.feeding import definitions_of  # late: brings in torch

    if name in protocol_names() or name.endswith((".yaml", ".yml")):
        return {"protocol": load_protocol(name).record}
    if name in method_names() or is_own(name):
        return {"method": info_record(load_method(name).info()) | {"origin": method_names().get(name, name)}}
    for stem, metric in catalogue().items():
        meanings = definitions_of(metric, NETWORK)
        if name == stem or name in meanings:
            return {
                "metric": {
                    "name": stem,
                    "needs": sorted(metric.needs),
                    "numbers": {key: entry.to_json() for key, entry in meanings.items()},
                    "definition": (sys.modules[metric.__module__].__doc__ or "").strip(),
                }
            }
    if is_trained_folder(name):  # last: a name of ours is not hidden by a folder that happens to be called so
        return {"method": info_record(load_method(name).info()) | {"origin": name}}
    raise UnknownName("protocol, method or metric", name, [*protocol_names(), *method_names(), *catalogue()])


def _protocols() -> dict[str, str]:
    return {name: load_protocol(name).description for name in protocol_names()}


def _metrics() -> dict[str, str]:
    from ..metrics.feeding import definitions_of

    meanings = [definitions_of(metric, NETWORK) for metric in catalogue().values()]
    return {name: entry.description for found in meanings for name, entry in found.items()}


def _classes() -> dict[str, str]:
    return {name: f"class {index} of tabletop" for index, name in enumerate(CLASSES)}
