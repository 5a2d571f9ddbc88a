"""The embedded world: a procedural distribution of textured solid objects in ten classes."""

from .classes import CLASSES
from .deformation import Deformation
from .splits import (
    REFERENCE_SEEDS,
    TEST_SEEDS,
    TRAIN_SEEDS,
    VALIDATION_SEEDS,
    reference_images,
    reference_views,
    render_views,
    train_cameras,
)
from .subjects import SUBJECTS, subject
from .world import TabletopObject, render_batch, sample

__all__ = [
    "CLASSES",
    "REFERENCE_SEEDS",
    "SUBJECTS",
    "TEST_SEEDS",
    "TRAIN_SEEDS",
    "VALIDATION_SEEDS",
    "Deformation",
    "TabletopObject",
    "reference_images",
    "reference_views",
    "render_batch",
    "render_views",
    "sample",
    "subject",
    "train_cameras",
]
