"""`scenes/<method>/method.json`: which generator made these scenes, in how long, and what failed.

It is written before the first scene and after each batch, so the scenes of a folder always come
from the one generator it names. A changed generator is refused rather than mixed in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..scenes.errors import UnreadableFile, UserError
from ..scenes.files import atomic_write
from ..scenes.generator import GeneratorInfo
from .run_directory import pretty_json, read_json

__all__ = ["SCHEMA", "MethodRecord", "info_record"]

SCHEMA = "viewsweep.method/1"

DECISIVE = ("version", "weights_sha256", "native_size", "details")
"""Fields of the generator's info whose change means other scenes."""


@dataclass
class MethodRecord:
    """What is known about the scenes of one method.

    Args:
        method: its name.
        protocol: hash of the protocol the scenes were drawn for.
        info: the generator's own description, or None while it has never been loaded.
        fingerprint: of its source and weights where that can be known without loading it.
        sessions: one entry a call that drew scenes: device, batch size, scenes, seconds, peak memory.
        failed: index of each scene that could not be drawn, and why.
        refused: those among them that broke a rule (depth, cameras, size ...), not the method.
    """

    method: str
    protocol: str
    info: dict[str, Any] | None = None
    fingerprint: str | None = None
    sessions: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> MethodRecord | None:
        """The record at `path`, or None where there is none.

        Raises:
            UnreadableFile: it is damaged or of another schema.
        """
        if not path.exists():
            return None
        content = read_json(path, SCHEMA)
        try:
            return cls(
                method=content["method"],
                protocol=content["protocol"],
                info=content["info"],
                fingerprint=content["fingerprint"],
                sessions=list(content["sessions"]),
                failed={int(index): str(reason) for index, reason in content["failed"].items()},
                refused=[int(index) for index in content.get("refused", ())],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableFile(
                f"{path}: not laid out as {SCHEMA}.", hint="Use --fresh to draw its scenes anew."
            ) from error

    def write(self, path: Path) -> None:
        content = asdict(self) | {
            "schema": SCHEMA,
            "failed": {str(key): self.failed[key] for key in sorted(self.failed)},
        }
        atomic_write(path, pretty_json(content))

    @property
    def seconds(self) -> float | None:
        """Time spent drawing, over all sessions; None when nothing was drawn."""
        return sum(session["seconds"] for session in self.sessions) if self.sessions else None

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most memory any session held at once; None where it was not recorded."""
        return max((held for session in self.sessions if (held := session.get("peak_memory_bytes"))), default=None)

    def accept(self, info: dict[str, Any]) -> None:
        """Take `info` as the maker of these scenes.

        Raises:
            UserError: another generator made the ones that are there.
        """
        if self.info is not None:
            changed = [name for name in DECISIVE if self.info.get(name) != info.get(name)]
            if changed:
                what = ", ".join(f"{name} was {self.info.get(name)!r}, is {info.get(name)!r}" for name in changed)
                raise UserError(
                    f"{self.method}: the method has changed since its scenes were drawn ({what}).",
                    hint="Choose another --out, or --fresh to draw its scenes anew.",
                )
        self.info = info


def info_record(info: GeneratorInfo) -> dict[str, Any]:
    """`info` as plain JSON values.

    Raises:
        UserError: `details` holds something JSON cannot express.
    """
    try:
        return json.loads(json.dumps(asdict(info), allow_nan=False))  # type: ignore[no-any-return]
    except (TypeError, ValueError) as error:
        raise UserError(f"{info.name}: info() holds a value that is no text, number or truth ({error}).") from error
