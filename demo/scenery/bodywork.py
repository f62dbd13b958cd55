"""The four vehicles of the demo as measurements: silhouettes, glass, lamps, where the plate sits.

Lengths in metres. A silhouette is the outline in (y, z), tail at y = 0, from the tail's foot over
the roof to the nose's foot; parts of the tail and nose are polygons in (x, z), right half only
where they are drawn mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.scenery.decals import Points
from demo.scenery.field import Colour

PAINTS: dict[str, Colour] = {
    "white": (0.60, 0.60, 0.58),
    "silver": (0.25, 0.26, 0.27),
    "grey": (0.075, 0.08, 0.085),
    "black": (0.010, 0.010, 0.012),
    "red": (0.30, 0.012, 0.014),
    "maroon": (0.085, 0.008, 0.014),
    "blue": (0.016, 0.050, 0.21),
    "navy": (0.008, 0.016, 0.050),
    "sky": (0.09, 0.22, 0.36),
    "green": (0.014, 0.065, 0.035),
    "orange": (0.46, 0.115, 0.008),
    "yellow": (0.62, 0.36, 0.02),
    "sand": (0.34, 0.28, 0.20),
    "teal": (0.012, 0.11, 0.12),
}


@dataclass(frozen=True, eq=False)
class Model:
    silhouette: Points
    half_width: float
    belt: float
    """Height at which the sides begin to lean in."""
    lean: float
    """Share of the width lost from belt to roof."""
    floor: float
    depth: float
    power: float
    wheels: tuple[float, float, float]
    """y of the rear and front axle, radius."""
    mirror_y: float
    doors: tuple[float, ...]
    """y of the upright seams along the side, B pillars among them."""
    rear_glass: Points
    tail_lamp: Points
    tail_core: Points
    hatch_seam: Points
    bumper_seam: float
    rear_plate: float
    front_plate: float
    windscreen: Points
    head_lamp: Points
    head_bulbs: tuple[tuple[float, float, float], ...]
    strip: Points
    grille: Points
    slats: int
    intake: Points
    fog: Points
    badge: float
    """Height of the emblem on the nose."""
    side_glass: bool = True
    split_doors: bool = False
    wiper: bool = True

    @property
    def length(self) -> float:
        return max(y for y, _ in self.silhouette)

    @property
    def height(self) -> float:
        return max(z for _, z in self.silhouette)


HATCHBACK = Model(
    silhouette=[
        (0.07, 0.30), (0.005, 0.42), (0.0, 0.58), (0.05, 0.72), (0.085, 0.92), (0.16, 1.03),
        (0.34, 1.27), (0.50, 1.405), (0.80, 1.455), (1.4, 1.475), (2.0, 1.445), (2.42, 1.345),
        (3.02, 1.015), (3.2, 0.955), (3.70, 0.865), (3.95, 0.755), (4.06, 0.62), (4.08, 0.46),
        (4.0, 0.28),
    ],
    half_width=0.90, belt=0.93, lean=0.25, floor=0.21, depth=0.28, power=5.2,
    wheels=(0.72, 3.25, 0.315), mirror_y=2.62, doors=(0.86, 1.72, 2.86),
    rear_glass=[(-0.60, 1.01), (0.60, 1.01), (0.50, 1.36), (-0.50, 1.36)],
    tail_lamp=[(0.48, 0.80), (0.92, 0.76), (0.94, 0.99), (0.72, 0.985), (0.53, 0.93)],
    tail_core=[(0.57, 0.835), (0.86, 0.82), (0.86, 0.935), (0.72, 0.925), (0.60, 0.89)],
    hatch_seam=[(0.57, 1.43), (0.67, 0.985), (0.50, 0.91), (0.465, 0.59), (0.0, 0.575)],
    bumper_seam=0.60, rear_plate=0.725, front_plate=0.47,
    windscreen=[(-0.71, 0.99), (0.71, 0.99), (0.56, 1.365), (-0.56, 1.365)],
    head_lamp=[(0.44, 0.665), (0.86, 0.715), (0.93, 0.835), (0.70, 0.81), (0.46, 0.735)],
    head_bulbs=((0.58, 0.722, 0.036), (0.72, 0.752, 0.040)),
    strip=[(0.48, 0.675), (0.86, 0.722), (0.89, 0.742), (0.49, 0.692)],
    grille=[(-0.45, 0.61), (0.45, 0.61), (0.43, 0.715), (-0.43, 0.715)], slats=3,
    intake=[(-0.60, 0.27), (0.60, 0.27), (0.52, 0.39), (-0.52, 0.39)],
    fog=[(0.64, 0.33), (0.83, 0.36), (0.80, 0.47), (0.66, 0.43)],
    badge=0.665,
)  # fmt: skip

SALOON = Model(
    silhouette=[
        (0.07, 0.32), (0.005, 0.46), (0.0, 0.62), (0.045, 0.74), (0.075, 0.95), (0.11, 1.035),
        (0.30, 1.065), (0.62, 1.085), (0.85, 1.16), (1.28, 1.36), (1.62, 1.425), (2.1, 1.445),
        (2.6, 1.415), (2.92, 1.325), (3.58, 1.005), (3.75, 0.955), (4.26, 0.87), (4.50, 0.77),
        (4.62, 0.63), (4.64, 0.46), (4.55, 0.28),
    ],
    half_width=0.915, belt=0.95, lean=0.28, floor=0.20, depth=0.30, power=5.0,
    wheels=(0.98, 3.74, 0.325), mirror_y=3.18, doors=(1.22, 2.12, 3.38),
    rear_glass=[(-0.66, 1.105), (0.66, 1.105), (0.53, 1.375), (-0.53, 1.375)],
    tail_lamp=[(0.34, 0.835), (0.95, 0.80), (0.96, 0.985), (0.80, 1.0), (0.36, 0.955)],
    tail_core=[(0.42, 0.865), (0.88, 0.845), (0.88, 0.945), (0.43, 0.925)],
    hatch_seam=[(0.70, 1.075), (0.60, 1.0), (0.575, 0.66), (0.0, 0.645)],
    bumper_seam=0.64, rear_plate=0.775, front_plate=0.46,
    windscreen=[(-0.72, 0.99), (0.72, 0.99), (0.57, 1.345), (-0.57, 1.345)],
    head_lamp=[(0.46, 0.665), (0.88, 0.71), (0.95, 0.83), (0.74, 0.81), (0.47, 0.755)],
    head_bulbs=((0.57, 0.725, 0.036), (0.73, 0.752, 0.036)),
    strip=[(0.49, 0.765), (0.74, 0.815), (0.90, 0.825), (0.74, 0.795)],
    grille=[(-0.42, 0.56), (0.42, 0.56), (0.40, 0.755), (-0.40, 0.755)], slats=6,
    intake=[(-0.62, 0.27), (0.62, 0.27), (0.54, 0.385), (-0.54, 0.385)],
    fog=[(0.64, 0.32), (0.86, 0.34), (0.84, 0.44), (0.68, 0.40)],
    badge=0.80, wiper=False,
)  # fmt: skip

CROSSOVER = Model(
    silhouette=[
        (0.06, 0.36), (0.0, 0.5), (0.0, 0.70), (0.04, 0.82), (0.07, 1.05), (0.13, 1.15),
        (0.30, 1.42), (0.42, 1.575), (0.65, 1.625), (1.4, 1.655), (2.15, 1.63), (2.56, 1.52),
        (3.12, 1.165), (3.3, 1.095), (3.9, 1.015), (4.25, 0.915), (4.40, 0.76), (4.43, 0.52),
        (4.36, 0.34),
    ],
    half_width=0.93, belt=1.06, lean=0.20, floor=0.26, depth=0.28, power=5.4,
    wheels=(0.85, 3.52, 0.36), mirror_y=2.78, doors=(0.98, 1.88, 3.02),
    rear_glass=[(-0.64, 1.13), (0.64, 1.13), (0.55, 1.50), (-0.55, 1.50)],
    tail_lamp=[(0.46, 0.955), (0.96, 0.925), (0.97, 1.10), (0.80, 1.115), (0.48, 1.045)],
    tail_core=[(0.53, 0.98), (0.90, 0.965), (0.90, 1.05), (0.54, 1.02)],
    hatch_seam=[(0.62, 1.60), (0.70, 1.12), (0.57, 1.03), (0.55, 0.72), (0.0, 0.70)],
    bumper_seam=0.70, rear_plate=0.86, front_plate=0.53,
    windscreen=[(-0.74, 1.135), (0.74, 1.135), (0.60, 1.54), (-0.60, 1.54)],
    head_lamp=[(0.47, 0.80), (0.90, 0.845), (0.96, 0.935), (0.74, 0.925), (0.48, 0.88)],
    head_bulbs=((0.57, 0.845, 0.034), (0.72, 0.872, 0.036)),
    strip=[(0.49, 0.885), (0.76, 0.93), (0.93, 0.94), (0.76, 0.912)],
    grille=[(-0.46, 0.65), (0.46, 0.65), (0.43, 0.875), (-0.43, 0.875)], slats=4,
    intake=[(-0.66, 0.32), (0.66, 0.32), (0.56, 0.45), (-0.56, 0.45)],
    fog=[(0.66, 0.46), (0.88, 0.48), (0.86, 0.60), (0.70, 0.56)],
    badge=0.79,
)  # fmt: skip

VAN = Model(
    silhouette=[
        (0.03, 0.36), (0.0, 0.5), (0.0, 1.0), (0.03, 1.35), (0.09, 1.80), (0.17, 1.93),
        (0.45, 1.975), (2.6, 1.985), (3.3, 1.95), (3.62, 1.83), (4.36, 1.26), (4.6, 1.15),
        (4.98, 1.01), (5.12, 0.82), (5.16, 0.52), (5.06, 0.34),
    ],
    half_width=0.97, belt=1.10, lean=0.10, floor=0.26, depth=0.22, power=6.5,
    wheels=(1.0, 4.15, 0.335), mirror_y=4.0, doors=(1.6, 2.7, 3.35),
    rear_glass=[(0.07, 1.17), (0.70, 1.17), (0.68, 1.68), (0.07, 1.68)],
    tail_lamp=[(0.80, 0.72), (0.96, 0.72), (0.96, 1.22), (0.81, 1.22)],
    tail_core=[(0.83, 0.80), (0.93, 0.80), (0.93, 1.02), (0.83, 1.02)],
    hatch_seam=[(0.76, 1.92), (0.76, 0.60), (0.0, 0.58)],
    bumper_seam=0.56, rear_plate=0.70, front_plate=0.50,
    windscreen=[(-0.80, 1.20), (0.80, 1.20), (0.70, 1.80), (-0.70, 1.80)],
    head_lamp=[(0.52, 0.72), (0.92, 0.76), (0.97, 0.98), (0.78, 0.96), (0.55, 0.84)],
    head_bulbs=((0.64, 0.79, 0.042), (0.79, 0.84, 0.046)),
    strip=[(0.56, 0.735), (0.90, 0.775), (0.92, 0.795), (0.57, 0.755)],
    grille=[(-0.50, 0.62), (0.50, 0.62), (0.46, 0.80), (-0.46, 0.80)], slats=3,
    intake=[(-0.64, 0.30), (0.64, 0.30), (0.58, 0.41), (-0.58, 0.41)],
    fog=[(0.68, 0.40), (0.88, 0.42), (0.86, 0.52), (0.72, 0.49)],
    badge=0.74, side_glass=False, split_doors=True,
)  # fmt: skip

MODELS: dict[str, Model] = {
    "hatchback": HATCHBACK,
    "saloon": SALOON,
    "crossover": CROSSOVER,
    "van": VAN,
}
