"""An entry and the card of its method speak of the same thing."""

from __future__ import annotations

from collections.abc import Iterator

from ...benchmark.roles import role
from ..faults import Fault, shown
from .submission import Submission

__all__ = ["check_card_name", "check_division", "check_reference_family", "check_revision", "check_weights"]

REFERENCE = "reference"


def check_card_name(submission: Submission) -> Iterator[Fault]:
    """The card of the method has its name."""
    card, name = submission.card, submission.entry.method.name
    if card is not None and card.name != name:
        message = f"its card methods/{name}.yml is about {card.name}"
        yield submission.error("method.name", message, "card, entry and their files share one name")


def check_revision(submission: Submission) -> Iterator[Fault]:
    """The card describes the version that was measured."""
    card, method = submission.card, submission.entry.method
    if card is not None and submission.entry.lifecycle.status == "active" and card.version != method.revision:
        message = f"revision {shown(method.revision)} was measured; the card describes version {shown(card.version)}"
        yield submission.warning("method.revision", message, "measure the new version, or correct the card")


def check_weights(submission: Submission) -> Iterator[Fault]:
    """The weights of the card drew the scenes."""
    card, found = submission.card, submission.entry.method.weights_sha256
    if card is None or submission.entry.lifecycle.status != "active":
        return
    named = None if card.weights is None else card.weights.sha256
    if found == named:
        return
    key = "method.weights_sha256"
    if named is None:
        message = f"weights {found} drew the scenes; the card names none"
        yield submission.error(key, message, "add weights.sha256 to the card")
    elif found is None:
        message = f"the scenes were drawn without weights; the card names {named}"
        yield submission.error(key, message, "remove the weights from the card, or measure with them")
    else:
        message = f"weights {found} drew the scenes; the card names {named}"
        yield submission.error(key, message, "measure with the weights of the card, or correct it")


def check_division(submission: Submission) -> Iterator[Fault]:
    """What departs from the protocol's conditions says how, and does not stand among those that keep them."""
    card, division = submission.card, submission.entry.division
    if card is None:
        return
    if division == "open" and not card.conditions.strip():
        message = "open, but the card does not say under which conditions"
        yield submission.error("division", message, "fill in conditions in the card")
    if division == "closed" and card.division == "open":
        message = "closed, but the card says that the method departs from the protocol's conditions"
        yield submission.error("division", message, "write open")


def check_reference_family(submission: Submission) -> Iterator[Fault]:
    """The ceiling and the cheats are reference rows; nothing else is, and nothing else takes their names."""
    card, name = submission.card, submission.entry.method.name
    if card is None:
        return
    reference = role(name) != "method"
    if reference and card.family != REFERENCE:
        message = f"{name} is the name of a reference row, but the card's family is {card.family}"
        yield submission.error("method.name", message, "choose another name for your method")
    if not reference and card.family == REFERENCE:
        message = f"the card says reference, but {name} is none of the reference rows"
        yield submission.error("method.name", message, "name the method's own family in the card")
