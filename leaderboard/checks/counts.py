"""How many scenes there are: asked for, measured, failed, archived."""

from __future__ import annotations

from collections.abc import Iterator

from ..faults import Fault
from .submission import Submission, listed

__all__ = ["check_archived_scenes", "check_cost", "check_failed_scenes", "check_scene_counts"]

AS_RUN = "take the counts from results.json, or write the entry anew with viewsweep submit"


def check_scene_counts(submission: Submission) -> Iterator[Fault]:
    """Requested is what the protocol asks for; evaluated and failed make it up."""
    scenes = submission.entry.scenes
    if submission.expected is not None and scenes.requested != submission.expected.requested:
        message = f"{scenes.requested}; {submission.entry.protocol.name} asks for {submission.expected.requested}"
        yield submission.error("scenes.requested", message, "run the protocol with all its scenes")
    if scenes.evaluated > scenes.requested:
        message = f"{scenes.evaluated} scenes, but only {scenes.requested} were asked for"
        yield submission.error("scenes.evaluated", message, AS_RUN)
    elif scenes.evaluated + len(scenes.failed) != scenes.requested:
        message = f"{scenes.evaluated} evaluated and {len(scenes.failed)} failed do not make {scenes.requested}"
        yield submission.error("scenes.evaluated", message, AS_RUN)
    if scenes.evaluated == 0:
        yield submission.error("scenes.evaluated", "no scene was measured", "there is nothing to put on a board")


def check_failed_scenes(submission: Submission) -> Iterator[Fault]:
    """Each failed scene once, with its reason."""
    scenes = submission.entry.scenes
    indices = [failed.index for failed in scenes.failed]
    beyond = [index for index in indices if index >= scenes.requested]
    if beyond:
        message = f"there are scenes 0 to {scenes.requested - 1}, but it names {listed(beyond)}"
        yield submission.error("scenes.failed", message, AS_RUN)
    twice = sorted({index for index in indices if indices.count(index) > 1}) if len(set(indices)) < len(indices) else []
    if twice:
        yield submission.error("scenes.failed", f"named more than once: {listed(twice)}", AS_RUN)
    silent = [failed.index for failed in scenes.failed if not failed.reason.strip()]
    if silent:
        yield submission.error("scenes.failed", f"without a reason: {listed(silent)}", "say why they failed")


def check_archived_scenes(submission: Submission) -> Iterator[Fault]:
    """The archive holds every scene that was measured, and none that was not asked for."""
    scenes, archive = submission.entry.scenes, submission.entry.archive
    if archive.scenes < scenes.evaluated:
        message = f"{archive.scenes} scenes, but the entry claims results of {scenes.evaluated}"
        yield submission.error("archive.scenes", message, "archive all scenes that were measured")
    if archive.scenes > scenes.requested:
        message = f"{archive.scenes} scenes, but only {scenes.requested} were asked for"
        yield submission.error("archive.scenes", message, "archive the scenes of this method and protocol only")
    if archive.bytes == 0 or submission.entry.per_scene.bytes == 0:
        yield submission.error("archive.bytes", "an empty file", "write the entry anew with viewsweep submit")


def check_cost(submission: Submission) -> Iterator[Fault]:
    """Times and counts that can be."""
    cost = submission.entry.cost
    if cost.seconds is not None and cost.seconds < 0:
        yield submission.error("cost.seconds", f"{cost.seconds} seconds", "time does not run backwards; measure again")
    if submission.expected is not None:
        most = submission.entry.scenes.requested * submission.expected.views
        if cost.views > most:
            yield submission.error("cost.views", f"{cost.views} views; at most {most} were asked for", AS_RUN)
