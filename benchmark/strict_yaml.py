"""YAML files from people, read strictly: every fault at once, each with file, line and what to do.

Plain mappings, lists and scalars only: no tags, no anchors, no key twice, no key the model does not
know. Settings files stay below a hundred lines, so anything huge is refused unread.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..scenes.errors import UserError

__all__ = ["StrictModel", "load_strict"]

MAXIMUM_BYTES = 1 << 18

Key = str | int
Lines = dict[tuple[Key, ...], int]


class StrictModel(BaseModel):
    """Settings that cannot be changed, hold no unknown key and take no string for a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


ModelT = TypeVar("ModelT", bound=StrictModel)


def load_strict(path: Path, model: type[ModelT]) -> ModelT:
    """The file at `path` as a `model`.

    Raises:
        UserError: the file cannot be read, is no YAML, or does not fit the model; all faults are
            listed, one a line, as ``file:line: key: fault``.
    """
    text = _read(path)
    data, lines = _parse(path, text)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = sorted({_fault(item, data, lines, model) for item in error.errors()})
        raise UserError("\n".join(f"{path}:{line}: {message}" for line, message in faults)) from error


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise UserError(f"{path}: larger than {MAXIMUM_BYTES >> 10} KiB; this is no settings file.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start}).") from error


def _parse(path: Path, text: str) -> tuple[dict[str, Any], Lines]:
    loader = yaml.SafeLoader(text)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):  # a few nested ones unfold into gigabytes
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise UserError(f"{path}:{line}: *{event.anchor}: write the value out; aliases are not read.")
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise UserError(f"{path}:1: the file must hold keys and values, such as `name: my-protocol`.")
        lines: Lines = {(): 1}
        _collect_lines(path, node, (), lines, loader)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {error.problem or error.context}.") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"{path}:{line}: not valid YAML: {error.reason}.") from error
    except RecursionError as error:
        raise UserError(f"{path}:1: nested too deeply for a settings file.") from error
    finally:
        loader.dispose()


def _collect_lines(path: Path, node: yaml.Node, where: tuple[Key, ...], lines: Lines, loader: yaml.SafeLoader) -> None:
    """Note where each value stands, and refuse keys given twice and scalars that have no value."""
    if isinstance(node, yaml.ScalarNode):
        try:
            loader.construct_object(node)
        except ValueError as error:  # month 13, an integer of a million digits
            raise UserError(f"{path}:{node.start_mark.line + 1}: {_name(where)}: no value ({error}).") from error
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*where, str(key.value))
            line = key.start_mark.line + 1
            if place in lines:
                raise UserError(f"{path}:{line}: {_name(place)}: given twice; first on line {lines[place]}.")
            lines[place] = line
            if isinstance(key, yaml.ScalarNode):
                _collect_lines(path, key, place, lines, loader)
            _collect_lines(path, value, place, lines, loader)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            place = (*where, position)
            lines[place] = value.start_mark.line + 1
            _collect_lines(path, value, place, lines, loader)


def _fault(item: Any, data: Any, lines: Lines, model: type[BaseModel]) -> tuple[int, str]:
    place = _in_file(item["loc"], data)
    name = _name(place)
    line = next(lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines)
    if item["type"] == "extra_forbidden":
        known = sorted(_known_keys(model, place[:-1]))
        near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
        advice = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(known)}."
        return line, f"{name}: unknown key. {advice}"
    if item["type"] == "missing":
        return line, f"{name}: missing; add it."
    message = item["msg"].removeprefix("Value error, ")
    given = "" if isinstance(item["input"], dict | list) else f", not {item['input']!r}"
    return line, f"{name}: {message[:1].lower()}{message[1:]}{given}."


def _in_file(location: tuple[Key, ...], data: Any) -> tuple[Key, ...]:
    """pydantic's location without the names of union members, which stand nowhere in the file."""
    place: list[Key] = []
    for position, key in enumerate(location):
        found = key in data if isinstance(data, dict) else isinstance(data, list) and isinstance(key, int)
        if found:
            data = data[key]
        elif position + 1 < len(location) or not isinstance(data, dict):
            continue
        place.append(key)
    return tuple(place)


def _known_keys(annotation: Any, place: tuple[Key, ...]) -> set[str]:
    """The keys that `annotation` (a model, or a union of models) allows at `place`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not place:
            return set(annotation.model_fields)
        field = annotation.model_fields.get(str(place[0]))
        return _known_keys(field.annotation, place[1:]) if field else set()
    return set().union(*(_known_keys(member, place) for member in get_args(annotation)), set())


def _name(place: tuple[Key, ...]) -> str:
    return ".".join(str(key) for key in place) or "the file"
