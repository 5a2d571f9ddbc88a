"""The ten classes of tabletop: for each the random shape parameters and the solids they control.

Frame: y up, the front of every object faces +z, the table top lies at y = `TABLE`; objects stay
within a sphere of radius 0.5 about the origin. A shape is a function from coordinates [N] and
parameters (each [1] or [N]) to the distances of its parts, in the order of `ObjectClass.parts`;
parts differ in material. The turntable they stand on is added by the tracer as one more part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from . import shapes as s

__all__ = ["CLASSES", "OBJECT_CLASSES", "TABLE", "TABLE_PALETTES", "ObjectClass", "turntable"]

TABLE = -0.27
Parameters = Mapping[str, Tensor]
Shape = Callable[[Tensor, Tensor, Tensor, Parameters], list[Tensor]]


@dataclass(frozen=True)
class ObjectClass:
    """One class.

    Args:
        name: what a person calls it.
        ranges: parameter name -> (low, high) of its uniform distribution.
        parts: part name -> names of the palettes its material is drawn from.
        shape: coordinates and parameters to part distances.
    """

    name: str
    ranges: dict[str, tuple[float, float]]
    parts: dict[str, tuple[str, ...]]
    shape: Shape


def turntable(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """The round table top every object stands on: radius 0.39, upper side at y = TABLE."""
    return s.cylinder_y(x, y - (TABLE - 0.0175), z, 0.39, 0.0175, rounding=0.008)


TABLE_PALETTES = ("wood", "stone", "cloth")


def _mug(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    half = q["height"] / 2
    up = y - (TABLE + half)
    outer = s.cone_y(x, up, z, q["radius"] * q["taper"], q["radius"], half)
    inner = s.cone_y(x, up - 0.05, z, q["radius"] * q["taper"] - 0.025, q["radius"] - 0.025, half)
    side = q["radius"] * (1 + q["taper"]) / 2
    loop = s.torus_z(x - side, (up + 0.01) / q["stretch"], z, q["handle"], q["grip"]) * 0.8
    handle = s.subtract(loop, s.cone_y(x, up, z, q["radius"] * q["taper"] - 0.01, q["radius"] - 0.01, half))
    drink = s.cylinder_y(x, up - half + 0.09, z, q["radius"] - 0.03, 0.02)
    return [s.subtract(outer, inner), handle, drink]


def _chair(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up = y - TABLE
    seat = s.box(x, up - q["seat"], z, q["width"], 0.022, q["width"], rounding=0.01)
    inset = q["width"] - 0.03
    ax = x.abs()
    legs = s.capsule(ax, up, z.abs(), (inset, 0.0, inset), (inset, q["seat"], inset), q["leg"])
    top = q["seat"] + q["back"]
    posts = s.capsule(ax, up, z, (inset, q["seat"], -inset), (inset, top, -inset - q["lean"]), q["leg"])
    middle = q["seat"] + q["back"] * 0.72
    rest = s.box(x, up - middle, z + inset + q["lean"] * 0.72, q["width"], q["back"] * q["panel"], 0.018, rounding=0.01)
    return [s.union(legs, posts), seat, rest]


def _tree(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up = y - TABLE
    trunk = s.cone_y(x, up - q["trunk"] / 2, z, q["thick"] * 1.3, q["thick"] * 0.8, q["trunk"] / 2 + 0.03)
    size, base = q["crown"], q["trunk"]
    lower = s.cone_y(x, up - base - 0.07, z, size, size * 0.42, 0.09)
    mid = s.cone_y(x, up - base - 0.19, z, size * 0.82, size * 0.26, 0.09)
    top = s.cone_y(x, up - base - 0.32, z, size * 0.6, size * 0.02, 0.11)
    fir = s.union(lower, mid, top)
    main = s.sphere(x, up - base - 0.2, z, size * 0.86)
    left = s.sphere(x + q["spread"], up - base - 0.11, z - q["spread"] * 0.5, size * 0.66)
    right = s.sphere(x - q["spread"], up - base - 0.15, z + q["spread"] * 0.4, size * 0.62)
    leafy = s.smooth_union(s.smooth_union(main, left, 0.05), right, 0.05)
    is_fir = (q["kind"] < 0.5).to(x.dtype)
    return [trunk, fir * is_fir + leafy * (1 - is_fir)]


def _house(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up = y - TABLE
    w, d, h = q["width"], q["depth"], q["height"]
    walls = s.box(x, up - h / 2, z, w, h / 2, d)
    roof = s.gable(x, up - h, z, w + 0.035, q["roof"], d + 0.03)
    chimney = s.box(x - w * 0.5, up - h - q["roof"] * 0.62, z + d * q["stack"], 0.032, q["roof"] * 0.45, 0.032)
    door = s.box(x - q["door"] * w, up - 0.075, z - d, 0.042, 0.075, 0.012)
    front = s.box(x + q["door"] * w + 0.005, up - h * 0.62, z - d, 0.045, 0.045, 0.01)
    sides = s.box(x.abs() - w, up - h * 0.55, z.abs() - d * 0.45, 0.01, 0.045, 0.042)
    back = s.box(x.abs() - w * 0.45, up - h * 0.6, z + d, 0.04, 0.045, 0.01)
    return [walls, roof, chimney, door, s.union(front, sides, back)]


def _car(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up = y - TABLE
    w, length, r = q["width"], q["length"], q["wheel"]
    body = s.box(x, up - r - q["body"] / 2, z, w, q["body"] / 2, length, rounding=0.03)
    roofline = r + q["body"] + q["cabin"] / 2
    lean = (up - roofline) * 0.35
    cabin_z = z - q["shift"]
    cabin = s.box(
        x,
        up - roofline,
        cabin_z,
        w * 0.86 - lean.clamp(min=-0.02) * 0.4,
        q["cabin"] / 2,
        length * q["hood"] - lean,
        0.02,
    )
    glass_band = s.box(x, up - roofline, cabin_z, w * 1.2, q["cabin"] * 0.3, length * q["hood"] * 0.84)
    pane = s.box(x, up - roofline, cabin_z, w * 0.66, q["cabin"] * 0.3, length * 1.2)
    glass = s.intersect(cabin * 0.9 - 0.006, s.union(glass_band, pane))
    axle = length * 0.62
    wheels = s.cylinder_x(x.abs() - w + 0.01, up - r, z.abs() - axle, r, 0.03, rounding=0.01)
    lamps = s.sphere(x.abs() - w * 0.66, up - r - q["body"] * 0.55, z - length + 0.004, 0.026)
    return [s.union(body, cabin * 0.9), glass, wheels, lamps]


def _animal(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up, ax = y - TABLE, x.abs()
    high, long, fat = q["leg"] + q["fat"], q["long"], q["fat"]
    torso = s.capsule(x, up, z, (0.0, high, -long), (0.0, high + 0.01, long), fat)
    head_y, head_z = high + q["neck"], long + 0.06 + q["reach"]
    neck = s.capsule(x, up, z, (0.0, high + 0.02, long * 0.9), (0.0, head_y, head_z), fat * 0.62)
    head = s.sphere(x, up - head_y, z - head_z, q["head"])
    snout = s.capsule(
        x, up, z, (0.0, head_y - 0.015, head_z), (0.0, head_y - 0.03, head_z + q["snout"]), q["head"] * 0.52
    )
    tail = s.capsule(
        x, up, z, (0.0, high + fat * 0.5, -long - fat * 0.7), (0.0, high + q["tail"], -long - fat - 0.07), 0.017
    )
    body = s.smooth_union(s.smooth_union(torso, neck, 0.05), s.smooth_union(head, snout, 0.03), 0.03)
    legs = s.capsule(ax, up, z.abs(), (fat * 0.62, 0.015, long * 0.92), (fat * 0.6, high, long * 0.9), 0.032)
    ears = s.ellipsoid(
        ax - q["head"] * 0.72,
        up - head_y - q["head"] * 0.72 - q["ear"] * 0.4,
        z - head_z + 0.02,
        q["ear"] * 0.42,
        q["ear"],
        q["ear"] * 0.28,
    )
    eyes = s.sphere(ax - q["head"] * 0.52, up - head_y - q["head"] * 0.3, z - head_z - q["head"] * 0.78, 0.017)
    nose = s.sphere(x, up - head_y + 0.022, z - head_z - q["snout"] - q["head"] * 0.4, 0.021)
    return [s.smooth_union(s.union(body, tail), legs, 0.03), ears * 0.8, s.union(eyes, nose)]


def _bottle(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up, r, h = y - TABLE, q["radius"], q["body"]
    body = s.cylinder_y(x, up - h / 2, z, r, h / 2, rounding=0.025)
    shoulder = s.cone_y(x, up - h - q["shoulder"] / 2 + 0.012, z, r * 0.97, q["neck"], q["shoulder"] / 2)
    start = h + q["shoulder"]
    neck = s.cylinder_y(x, up - start - q["throat"] / 2 + 0.02, z, q["neck"], q["throat"] / 2 + 0.01)
    cap = s.cylinder_y(x, up - start - q["throat"], z, q["neck"] + 0.014, 0.032, rounding=0.008)
    band = s.cylinder_y(x, up - h * q["label"], z, r + 0.006, h * 0.25)
    flag = s.box(x, up - h * q["label"], z - r, r * 0.62, h * 0.2, 0.02)
    patch = s.intersect(s.cylinder_y(x, up - h * q["label"], z, r + 0.012, h * 0.2), flag)
    return [s.smooth_union(s.union(body, shoulder), neck, 0.03), cap, band, patch]


def _lamp(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up = y - TABLE
    foot = s.cone_y(x, up - 0.02, z, q["foot"], q["foot"] * 0.75, 0.02)
    knee_x, knee_y = q["bend"], q["pole"] * 0.55
    lower = s.capsule(x, up, z, (0.0, 0.02, 0.0), (knee_x, knee_y, 0.0), 0.017)
    upper = s.capsule(x, up, z, (knee_x, knee_y, 0.0), (0.0, q["pole"], q["lean"]), 0.017)
    knob = s.sphere(x - knee_x, up - knee_y, z, 0.03)
    shade_y = q["pole"] + q["tall"] * 0.3
    sx, sy, sz = x, up - shade_y, z - q["lean"]
    shade = s.cone_y(sx, sy, sz, q["wide"], q["wide"] * q["narrow"], q["tall"] / 2)
    hollow = s.cone_y(sx, sy + 0.03, sz, q["wide"] - 0.012, q["wide"] * q["narrow"] - 0.012, q["tall"] / 2)
    bulb = s.sphere(sx, sy + q["tall"] * 0.3, sz, 0.05)
    return [s.union(foot, lower, upper), knob, s.subtract(shade, hollow), bulb]


def _plane(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up = y - TABLE - q["high"]
    long, fat = q["long"], q["fat"]
    hull = s.capsule(x, up, z, (0.0, 0.0, long - fat), (0.0, 0.02, -long * 0.55), fat)
    boom = s.capsule(x, up, z, (0.0, 0.02, -long * 0.4), (0.0, 0.035, -long + 0.02), fat * 0.5)
    body = s.smooth_union(hull, boom, 0.06)
    ax = x.abs()
    sweep = z - q["wing_z"] + ax * q["sweep"]
    wing = s.box(x, up - q["wing_y"] * fat, sweep, q["span"], 0.014, q["chord"] * 0.5, rounding=0.01) * 0.85
    tail_z = z + long - 0.055
    tailplane = s.box(x, up - 0.05, tail_z + ax * q["sweep"], q["span"] * 0.42, 0.012, 0.045, rounding=0.008) * 0.85
    fin = s.box(x, up - 0.105, tail_z + (up - 0.1) * 0.5, 0.012, 0.085, 0.05, rounding=0.008) * 0.85
    engines = s.capsule(
        ax, up, sweep, (q["span"] * 0.45, -0.025, -0.03), (q["span"] * 0.45, -0.025, q["chord"] * 0.6), 0.032
    )
    cockpit = s.ellipsoid(x, up - fat * 0.75, z - long * 0.52, fat * 0.62, fat * 0.62, fat * 1.3)
    half = q["high"] / 2
    stand = s.cylinder_y(x, y - TABLE - half, z, 0.014, half)
    return [body, s.union(wing, tailplane, fin), engines, cockpit * 0.8, stand]


def _ring(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
    up = y - TABLE
    centre = q["major"] + q["minor"] + 0.03
    flat = z * q["flat"]
    band = s.torus_z(x, up - centre, flat, q["major"], q["minor"]) / q["flat"].clamp(min=1.0)
    top = centre + q["major"] + q["minor"] * 0.6
    gem = s.octahedron(x, (up - top - q["gem"] * 0.5) * q["cut"], z, q["gem"])
    gem = s.intersect(gem, s.box(x, up - top - q["gem"] * 0.4, z, q["gem"] * 0.75, q["gem"] * 0.55, q["gem"] * 0.75))
    claw = s.cone_y(x, up - top + 0.005, z, 0.03, q["gem"] * 0.62, 0.03)
    cushion = s.box(x, up - 0.025, z, 0.11, 0.035, 0.085, rounding=0.03)
    return [s.union(band, claw), gem * 0.8, cushion]


OBJECT_CLASSES: tuple[ObjectClass, ...] = (
    ObjectClass(
        "mug",
        {
            "radius": (0.17, 0.225),
            "height": (0.3, 0.46),
            "taper": (0.8, 1.02),
            "handle": (0.085, 0.12),
            "grip": (0.022, 0.034),
            "stretch": (1.0, 1.3),
        },
        {"body": ("paint", "glaze"), "handle": ("paint", "glaze"), "drink": ("drink",)},
        _mug,
    ),
    ObjectClass(
        "chair",
        {
            "width": (0.15, 0.21),
            "seat": (0.2, 0.3),
            "back": (0.26, 0.37),
            "leg": (0.016, 0.027),
            "lean": (0.0, 0.06),
            "panel": (0.15, 0.34),
        },
        {"frame": ("wood", "metal", "paint"), "seat": ("cloth", "wood"), "rest": ("cloth", "wood")},
        _chair,
    ),
    ObjectClass(
        "tree",
        {"trunk": (0.14, 0.25), "thick": (0.028, 0.05), "crown": (0.2, 0.25), "spread": (0.06, 0.13), "kind": (0, 1)},
        {"trunk": ("bark",), "crown": ("leaf",)},
        _tree,
    ),
    ObjectClass(
        "house",
        {
            "width": (0.17, 0.24),
            "depth": (0.17, 0.25),
            "height": (0.2, 0.32),
            "roof": (0.13, 0.24),
            "door": (-0.5, 0.5),
            "stack": (-0.5, 0.5),
        },
        {
            "walls": ("wall",),
            "roof": ("tile",),
            "chimney": ("brick",),
            "door": ("paint",),
            "windows": ("pane",),
        },
        _house,
    ),
    ObjectClass(
        "car",
        {
            "width": (0.125, 0.16),
            "length": (0.26, 0.33),
            "wheel": (0.055, 0.075),
            "body": (0.1, 0.15),
            "cabin": (0.1, 0.15),
            "hood": (0.48, 0.7),
            "shift": (-0.09, 0.0),
        },
        {"body": ("paint",), "glass": ("glass",), "wheels": ("rubber",), "lamps": ("light",)},
        _car,
    ),
    ObjectClass(
        "animal",
        {
            "leg": (0.1, 0.19),
            "fat": (0.07, 0.115),
            "long": (0.1, 0.16),
            "neck": (0.08, 0.22),
            "reach": (0.0, 0.05),
            "head": (0.068, 0.095),
            "snout": (0.05, 0.1),
            "ear": (0.035, 0.08),
            "tail": (0.02, 0.16),
        },
        {"fur": ("fur",), "ears": ("fur",), "eyes": ("rubber",)},
        _animal,
    ),
    ObjectClass(
        "bottle",
        {
            "radius": (0.1, 0.15),
            "body": (0.28, 0.36),
            "shoulder": (0.07, 0.13),
            "neck": (0.036, 0.055),
            "throat": (0.09, 0.16),
            "label": (0.42, 0.55),
        },
        {"body": ("bottle",), "cap": ("paint", "metal"), "band": ("cloth", "paint"), "patch": ("paint", "cloth")},
        _bottle,
    ),
    ObjectClass(
        "lamp",
        {
            "foot": (0.1, 0.15),
            "pole": (0.36, 0.46),
            "bend": (-0.1, 0.1),
            "lean": (-0.02, 0.08),
            "wide": (0.16, 0.23),
            "narrow": (0.4, 0.75),
            "tall": (0.17, 0.25),
        },
        {"stand": ("metal", "wood"), "knob": ("metal",), "shade": ("shade",), "bulb": ("light",)},
        _lamp,
    ),
    ObjectClass(
        "plane",
        {
            "high": (0.22, 0.34),
            "long": (0.29, 0.36),
            "fat": (0.055, 0.08),
            "span": (0.27, 0.35),
            "chord": (0.1, 0.15),
            "sweep": (0.0, 0.4),
            "wing_y": (-0.5, 0.6),
            "wing_z": (0.0, 0.07),
        },
        {
            "hull": ("paint", "glaze"),
            "wings": ("paint",),
            "engines": ("metal", "rubber"),
            "cockpit": ("glass",),
            "stand": ("metal",),
        },
        _plane,
    ),
    ObjectClass(
        "ring",
        {"major": (0.17, 0.225), "minor": (0.028, 0.05), "flat": (0.5, 1.0), "gem": (0.08, 0.12), "cut": (0.8, 1.2)},
        {"band": ("gold",), "gem": ("gem",), "cushion": ("cloth",)},
        _ring,
    ),
)

CLASSES: tuple[str, ...] = tuple(entry.name for entry in OBJECT_CLASSES)
