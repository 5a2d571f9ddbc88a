"""What pydantic says about a file, as faults that name the key and the remedy."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from .faults import Fault, shown

__all__ = ["model_faults"]


def model_faults(error: ValidationError, path: str, model: type[BaseModel]) -> list[Fault]:
    """One fault for each thing that does not fit `model`."""
    return [_fault(item, path, model) for item in error.errors(include_url=False)]


def _fault(item: Any, path: str, model: type[BaseModel]) -> Fault:
    place = tuple(item["loc"])
    key = ".".join(str(part) for part in place)
    if item["type"] == "extra_forbidden":
        known = sorted(_known_keys(model, place[:-1]))
        near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"delete it; known keys: {', '.join(known)}"
        return Fault.error(path, key, "unknown key", hint.rstrip("?"))
    if item["type"] == "missing":
        return Fault.error(path, key, "missing", "add it")
    if item["input"] is None:
        return Fault.error(path, key, "empty", "fill it in")
    message = str(item["msg"]).removeprefix("Value error, ").rstrip(".")
    given = "" if isinstance(item["input"], dict | list) else f", not {shown(item['input'])}"
    return Fault.error(path, key, f"{message[:1].lower()}{message[1:]}{given}", "see the schema in leaderboard/schema")


def _known_keys(annotation: Any, place: tuple[str | int, ...]) -> set[str]:
    """The keys that a model, or what is inside an annotation, allows at `place`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not place:
            return set(annotation.model_fields)
        field = annotation.model_fields.get(str(place[0]))
        return _known_keys(field.annotation, place[1:]) if field else set()
    arguments = get_args(annotation)
    rest = place[1:] if place and arguments and _is_container(annotation) else place
    return set().union(*(_known_keys(member, rest) for member in arguments), set())


def _is_container(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (list, dict)
