"""`Protocol`: what is drawn, from where, and how it is measured; versioned and hashed.

Numbers with different protocol hashes are never put in one column. The hash is sha256 over the
canonical JSON of the resolved content, defaults filled in; the description alone stays outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, PrivateAttr, Tag, ValidationError, field_validator, model_validator

from ..scenes.cameras import Cameras
from ..scenes.errors import UnknownName, UnreadableFile, UserError
from ..scenes.generator import Request
from .completion import Completion
from .fingerprint import sha256_json
from .poses import Grid3x9, RandomView, Sweep360, TrainingView
from .sequences import Co3dSequences, FramesOfVideo, Re10kSequences, Sequences
from .strict_yaml import StrictModel, load_strict

if TYPE_CHECKING:
    from .posed_data import PosedData

__all__ = [
    "Completion",
    "FolderReference",
    "FramesOfVideo",
    "Grid3x9",
    "MetricUse",
    "Protocol",
    "RandomView",
    "Reference",
    "Sweep360",
    "TrainingView",
    "TruthReference",
    "load_protocol",
    "protocol_from_record",
    "protocol_names",
]

FOLDER = Path(__file__).parent / "protocols"

LATER: dict[str, Any] = {"classes": None, "scored": "all", "completion": None, "sequences": None}
"""Keys that the first protocols did not know, and what these mean without them. At that value they
stay out of the hash: a protocol keeps its hash as long as it asks for the same."""

Scored = Literal["all", "first", "last", "novel"]
SCORED: dict[Scored, slice] = {
    "all": slice(None),
    "first": slice(0, 1),
    "last": slice(-1, None),
    "novel": slice(1, None),
}

VIDEOS: dict[str, type[StrictModel]] = {"re10k": Re10kSequences, "co3d": Co3dSequences}
"""Data sets of posed videos, and what says which sequences of them are taken."""


class Reference(StrictModel):
    """The images that set metrics compare with: `images` renders from the reference split.

    Their cameras are those of the sweep in turn, so that both sets hold the same share of each view;
    where each scene draws its own view, so does each of them.
    """

    images: int = Field(ge=2, le=1_000_000)
    split: Literal["reference"] = "reference"
    poses: Literal["sweep"] = "sweep"


class FolderReference(StrictModel):
    """The pictures that set metrics compare with: all in a folder of the user's, its subfolders included.

    Each is cut to its centred square and brought to the protocol's size, as the authors of ivid do.
    Which pictures they are is no part of the protocol; their hash stands beside the results.
    """

    kind: Literal["folder"]
    crop: Literal["centre"] = "centre"
    resize: Literal["lanczos"] = "lanczos"


class TruthReference(StrictModel):
    """The true pictures of the scored views of all scenes, for completions: of videos, or where the true scenes are
    themselves a generator's."""

    kind: Literal["truth"]


def _kind_of_reference(value: Any) -> str:
    if isinstance(value, TruthReference) or (isinstance(value, Mapping) and value.get("kind") == "truth"):
        return "truth"
    known = "kind" in value if isinstance(value, Mapping) else isinstance(value, FolderReference)
    return "folder" if known else "renders"


class FeatureNetworkByHash(StrictModel):
    """The network behind `fid[network]` and its like; other weights are another protocol."""

    network: Literal["tabletop", "inception", "inception-legacy", "dinov2"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class MetricUse(StrictModel):
    """A metric at a version, on all scenes or, where it is costly, on the first few."""

    version: int = Field(ge=1)
    scenes: int | None = Field(default=None, ge=1)


class Protocol(StrictModel):
    """What a run draws and measures; see the files in `benchmark/protocols`.

    Args:
        dataset: the world the scenes come from: `tabletop` is embedded; `images` are pictures of
            `classes` classes in a folder of the user's, without cameras; `re10k` and `co3d` are videos
            with cameras in a folder of the user's.
        size: image height and width in pixels.
        scenes: how many scenes; scene i has the i-th seed of the split. Of a completion: true scenes.
        sweep: the cameras every scene is drawn from.
        labels: `cyclic` asks for class i mod the number of classes, `none` asks for no class.
        classes: how many there are, of `images`; class k is the k-th folder by name.
        scored: the views whose pictures metrics of sets and of classes look at; `novel`: all but the first,
            which is the one that is given.
        sequences: which videos, of `re10k` and `co3d`.
        completion: what of each scene is given, and how often the whole is asked for; see `Completion`.
            Without it scenes are drawn from nothing but a seed.
        truth: where the true views come from, for metrics that compare with them; `world` renders
            the scene of the same seed and class. Right only for methods that are shown the scene.
        metrics: name of each metric to its version, or to ``{version: 1, scenes: 32}`` for one that
            is measured on the first scenes only.
    """

    schema_: Literal["viewsweep.protocol/1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: int = Field(ge=1)
    description: str = ""
    dataset: Literal["tabletop", "images", "re10k", "co3d"]
    sequences: Sequences | None = None
    split: Literal["test"] = "test"
    size: int = Field(ge=8, le=4096)
    scenes: int = Field(ge=1, le=100_000)
    sweep: Annotated[Sweep360 | Grid3x9 | RandomView | TrainingView | FramesOfVideo, Field(discriminator="kind")]
    labels: Literal["cyclic", "none"]
    classes: int | None = Field(default=None, ge=1, le=1_000_000)
    scored: Scored = "all"
    reference: (
        Annotated[
            Annotated[Reference, Tag("renders")]
            | Annotated[FolderReference, Tag("folder")]
            | Annotated[TruthReference, Tag("truth")],
            Discriminator(_kind_of_reference),
        ]
        | None
    ) = None
    features: FeatureNetworkByHash | None = None
    completion: Completion | None = None
    truth: Literal["world"] | None = None
    metrics: dict[str, int | MetricUse] = Field(min_length=1)

    _declared_scenes: int | None = PrivateAttr(default=None)
    _data: PosedData | None = PrivateAttr(default=None)

    @field_validator("metrics")
    @classmethod
    def _versions_count_from_one(cls, metrics: dict[str, int | MetricUse]) -> dict[str, int | MetricUse]:
        wrong = [name for name, use in metrics.items() if isinstance(use, int) and use < 1]
        if wrong:
            raise ValueError(f"versions count from 1, but {', '.join(wrong)} is below")
        return metrics

    @model_validator(mode="after")
    def _parts_fit_the_dataset(self) -> Protocol:
        if self.dataset == "tabletop":
            if self.classes is not None:
                raise ValueError("classes: tabletop has its own; leave this key out")
            if isinstance(self.reference, FolderReference):
                raise ValueError("reference: a folder of pictures needs `dataset: images`")
        elif self.dataset == "images":
            if self.labels == "cyclic" and self.classes is None:
                raise ValueError("classes: with `dataset: images` and cyclic labels, say how many classes there are")
            if isinstance(self.reference, Reference):
                raise ValueError("reference: of `images` nothing can be rendered; write `kind: folder`")
            if self.truth is not None:
                raise ValueError("truth: pictures without cameras hold no true views; leave this key out")
        return self

    @model_validator(mode="after")
    def _videos_come_with_what_they_need(self) -> Protocol:
        wanted = VIDEOS.get(self.dataset)
        of_videos = {
            "sequences": self.sequences is not None,
            "sweep": isinstance(self.sweep, FramesOfVideo),
            "reference": isinstance(self.reference, TruthReference),
        }
        if wanted is None:
            if of_videos.pop("reference") and self.completion is None:
                raise ValueError("reference: only a completion knows its true views; `kind: truth` needs that part")
            for key in (key for key, has in of_videos.items() if has):
                raise ValueError(f"{key}: this is for videos; it needs `dataset: {'` or `'.join(VIDEOS)}`")
            return self
        if not isinstance(self.sequences, wanted):
            raise ValueError("sequences: say which videos, by `split` of re10k or by `categories` of co3d")
        if not of_videos["sweep"]:
            raise ValueError("sweep: the cameras are those of the video; write `kind: frames`")
        if self.completion is None or self.completion.task != "scene":
            raise ValueError("completion: from videos scenes are completed; add this part with `task: scene`")
        if self.reference is not None and not of_videos["reference"]:
            raise ValueError("reference: the pictures to compare with are the true views; write `kind: truth`")
        if self.labels != "none" or self.classes is not None:
            raise ValueError("labels: videos are asked for without classes; write `none`, and no `classes`")
        return self

    @model_validator(mode="after")
    def _completion_fits_the_rest(self) -> Protocol:
        if self.scored == "novel" and (self.completion is None or self.completion.context != [0]):
            raise ValueError("scored: `novel` needs a completion whose context is view 0 alone")
        if self.completion is None:
            return self
        if self.dataset == "images":
            raise ValueError("completion: only tabletop and videos know true scenes; not pictures without cameras")
        if self.truth is not None:
            raise ValueError("truth: a completion has its own true scenes; leave this key out")
        motion, single = self.completion.task == "motion", isinstance(self.sweep, TrainingView)
        if motion and not single:
            raise ValueError("sweep: task `motion` is seen from one camera; write `kind: training_view`")
        views = len(self.sweep.frames if isinstance(self.sweep, FramesOfVideo) else self.sweep.cameras(0))
        if self.scored == "novel" and views < 2:
            raise ValueError("scored: with one view there is none beside the one that is given")
        if max(self.completion.context) >= views:
            raise ValueError(f"completion.context: {self.completion.context}, but the sweep has {views} views")
        return self

    def uses(self, metric: str) -> MetricUse:
        """Version and scenes of one of `metrics`."""
        use = self.metrics[metric]
        return MetricUse(version=use) if isinstance(use, int) else use

    @property
    def content(self) -> dict[str, Any]:
        """Everything the hash covers, as plain JSON values."""
        whole = self.model_dump(mode="json", by_alias=True, exclude={"description"})
        if self.sequences is not None:
            del whole["split"]  # `sequences` says it
        return {key: value for key, value in whole.items() if key not in LATER or value != LATER[key]}

    @cached_property
    def hash(self) -> str:
        """sha256 of the canonical JSON of `content`, 64 hexadecimal digits."""
        return sha256_json(self.content)

    def hash_with(self, pictures: str | None) -> str:
        """What numbers must share to stand in one column: this hash and, of a folder, that of its pictures."""
        return self.hash if pictures is None else sha256_json({"protocol": self.hash, "pictures": pictures})

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` keeps: the content, its hash, and what the command line overrode."""
        overrides = {}
        if self._declared_scenes is not None:
            overrides["scenes"] = {"declared": self._declared_scenes, "used": self.scenes}
        return {**self.content, "description": self.description, "hash": self.hash, "overrides": overrides}

    def with_scenes(self, scenes: int) -> Protocol:
        """The same protocol with another number of scenes; it has another hash."""
        if scenes == self.scenes:
            return self
        if not 1 <= scenes <= 100_000:
            raise UserError(f"--scenes {scenes}: a run has between 1 and 100000 scenes.")
        copy = Protocol.model_validate({**self.content, "description": self.description, "scenes": scenes})
        copy._declared_scenes = self._declared_scenes or self.scenes
        return copy

    def with_data(self, data: PosedData) -> Protocol:
        """The same protocol with its videos, without which it has no requests; the hash stays."""
        copy = self.model_copy()
        copy._data = data
        return copy

    @property
    def data(self) -> PosedData | None:
        """The videos of `with_data`."""
        return self._data

    def cameras(self, seed: int | None = None) -> Cameras:
        """The cameras of the scene with this seed; none is needed where all scenes share them."""
        return self.sweep.cameras(seed)

    @property
    def scored_views(self) -> slice:
        """Which views of a scene `scored` means."""
        return SCORED[self.scored]

    @property
    def task(self) -> str:
        """What a method is asked for, as `GeneratorInfo.tasks` calls it."""
        return "sweep" if self.completion is None else self.completion.task

    @property
    def samples(self) -> int:
        """How often each scene is asked for."""
        return 1 if self.completion is None else self.completion.samples

    def called(self, index: int) -> str:
        """Request number `index` for people: "scene 7", or "scene 0, sample 7"."""
        scene, sample = divmod(index, self.samples)
        return f"scene {index}" if self.completion is None else f"scene {scene}, sample {sample}"

    def requests(self) -> Sequence[Request]:
        """All requests, by index; everything in them follows from the index alone.

        One a scene, or of a completion `samples` a scene: request n * samples + k is sample k of true
        scene n. Their contexts are made when they are looked at.
        """
        if self.completion is None:
            return self._worlds()
        from .true_scenes import CompletionRequests, TrueScenes

        if self.sequences is None:
            return CompletionRequests(TrueScenes(self.name, self.completion, self._worlds()))
        from .posed_scenes import video_scenes

        return CompletionRequests(video_scenes(self))

    def _worlds(self) -> list[Request]:
        """One request a scene, with the world's own seed."""
        from ..scenes import tabletop

        own = self.dataset == "tabletop"
        if own and self.scenes > len(tabletop.TEST_SEEDS):
            raise UserError(f"{self.name}: {self.scenes} scenes; the test split has {len(tabletop.TEST_SEEDS)}.")
        seeds = tabletop.TEST_SEEDS if own else range(self.scenes)
        classes = len(tabletop.CLASSES) if own else self.classes
        shared = self.sweep.cameras() if self.sweep.shared else None
        return [
            Request(
                index=index,
                seed=seeds[index],
                cameras=self.sweep.cameras(seeds[index]) if shared is None else shared,
                size=self.size,
                label=index % classes if self.labels == "cyclic" and classes else None,
            )
            for index in range(self.scenes)
        ]


def protocol_names() -> list[str]:
    """The shipped protocols, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_protocol(name: str, *, scenes: int | None = None) -> Protocol:
    """A shipped protocol by name, or one of your own by the path to its ``.yaml`` file.

    Raises:
        UnknownName: no shipped protocol of that name; the nearest are offered.
        UserError: the file is missing or faulty; each fault comes with its line.
    """
    if name.endswith((".yaml", ".yml")):
        protocol = load_strict(Path(name), Protocol)
    elif name in protocol_names():
        protocol = load_strict(FOLDER / f"{name}.yaml", Protocol)
    else:
        raise UnknownName("protocol", name, protocol_names(), hint="A path to a .yaml file works as well.")
    return protocol if scenes is None else protocol.with_scenes(scenes)


def protocol_from_record(record: dict[str, Any], where: Path) -> Protocol:
    """The protocol that `run.json` at `where` keeps; its hash is checked."""
    content = {key: value for key, value in record.items() if key not in ("hash", "overrides")}
    try:
        protocol = Protocol.model_validate(content)
    except ValidationError as error:
        raise UnreadableFile(
            f"{where}: its protocol is not one this version knows.", hint="Update viewsweep."
        ) from error
    if protocol.hash != record.get("hash"):
        raise UnreadableFile(f"{where}: its protocol does not have the hash written beside it; it was edited.")
    override = (record.get("overrides") or {}).get("scenes")
    if override:
        protocol._declared_scenes = override["declared"]
    return protocol
