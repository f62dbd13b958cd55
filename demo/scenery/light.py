"""Sky, sun and lamps: the light a scene stands in, and what a surface makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.scenery.field import Colour, Floats, dot, f32, mix, sample, smoothstep, unit
from demo.scenery.solids import Matter


@dataclass(frozen=True)
class Lamp:
    """A light at `position` (m) of `colour` (linear, at one metre), aimed along `aim` if given.

    `spread` is the cosine at which an aimed lamp's beam has faded out. `beside_lens` marks the
    camera's own illuminator, to which retroreflectors answer.
    """

    position: tuple[float, float, float]
    colour: Colour
    aim: tuple[float, float, float] | None = None
    spread: float = 0.0
    beside_lens: bool = False

    def shine(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """Light falling on surface points (N, 3) as colour, and as colour before the cosine."""
        ray = f32(self.position) - points
        square = np.maximum(dot(ray, ray), 0.04)
        ray = f32(ray / np.sqrt(square)[:, None])
        strength = 1.0 / square
        if self.aim is not None:
            toward = unit(f32([self.aim]))[0]
            along = f32(-(ray @ toward))
            strength = strength * smoothstep(self.spread, min(0.999, self.spread + 0.25), along)
        straight = f32(strength[:, None] * f32(self.colour))
        return f32(straight * np.maximum(dot(ray, normals), 0.0)[:, None]), straight


@dataclass(frozen=True)
class Light:
    """One hour and weather. Colours are linear radiances, 1 being a sunlit white wall's."""

    zenith: Colour
    horizon: Colour
    ground: Colour
    """What the lower half of the surroundings sends back up."""
    sun: Colour = (0.0, 0.0, 0.0)
    sun_to: tuple[float, float, float] = (0.3, -0.5, 0.8)
    trees: Colour = (0.03, 0.045, 0.02)
    clouds: float = 0.5
    exposure: float = 1.0
    haze: float = 0.0
    """Share of the horizon's colour mixed in per 100 m."""
    night: bool = False

    @property
    def sunward(self) -> Floats:
        return f32(unit(f32([self.sun_to]))[0])


DAY = Light(
    zenith=(0.16, 0.30, 0.62),
    horizon=(0.62, 0.74, 0.86),
    ground=(0.17, 0.165, 0.155),
    sun=(1.75, 1.60, 1.36),
    sun_to=(-0.62, -0.42, 0.62),
    clouds=0.55,
    haze=0.10,
    exposure=0.74,
)
EVENING = Light(
    zenith=(0.14, 0.20, 0.40),
    horizon=(0.92, 0.66, 0.46),
    ground=(0.125, 0.115, 0.105),
    sun=(1.75, 1.15, 0.68),
    sun_to=(0.85, -0.36, 0.30),
    trees=(0.03, 0.03, 0.016),
    clouds=0.75,
    haze=0.16,
    exposure=0.92,
)
OVERCAST = Light(
    zenith=(0.60, 0.64, 0.69),
    horizon=(0.78, 0.80, 0.82),
    ground=(0.15, 0.15, 0.15),
    trees=(0.035, 0.045, 0.03),
    clouds=0.30,
    haze=0.20,
    exposure=0.80,
)
DUSK = Light(
    zenith=(0.035, 0.055, 0.13),
    horizon=(0.30, 0.20, 0.20),
    ground=(0.035, 0.033, 0.036),
    trees=(0.006, 0.007, 0.008),
    clouds=0.5,
    haze=0.1,
    exposure=1.7,
    night=True,
)
NIGHT = Light(
    zenith=(0.002, 0.003, 0.007),
    horizon=(0.020, 0.017, 0.018),
    ground=(0.006, 0.006, 0.006),
    trees=(0.001, 0.0012, 0.001),
    clouds=0.3,
    exposure=2.6,
    night=True,
)

HOURS: dict[str, Light] = {
    "day": DAY,
    "evening": EVENING,
    "overcast": OVERCAST,
    "dusk": DUSK,
    "night": NIGHT,
}


@dataclass(frozen=True)
class Surroundings:
    """What a ray sees that meets nothing: sky, clouds and the trees on the horizon."""

    light: Light
    noise: Floats
    treetop: float = 0.05
    """Mean height of the trees, as the sine of their elevation."""

    def look(self, rays: Floats) -> Floats:
        """Radiance (N, 3) from directions (N, 3)."""
        light = self.light
        up = rays[:, 2]
        size = self.noise.shape[0]
        azimuth = np.arctan2(rays[:, 0], rays[:, 1])
        rise = np.clip(up, 0.0, 1.0)[:, None]
        sky = mix(light.horizon, light.zenith, 1.0 - np.exp(-4.2 * rise))
        if light.clouds > 0:
            lift = 1.0 / (np.maximum(up, 0.0) + 0.18)
            banks = sample(
                self.noise,
                f32(rays[:, 0] * lift * size * 0.22 + 31.0),
                f32(rays[:, 1] * lift * size * 0.22),
                wrap=True,
            )
            bright = f32(light.horizon) * 1.12 + f32(light.sun) * 0.10
            sky = mix(sky, bright, (smoothstep(-0.1, 1.6, banks) * light.clouds)[:, None])
        toward = np.maximum(f32(rays @ light.sunward), 0.0)
        sky = f32(sky + f32(light.sun) * (0.9 * toward**220 + 0.10 * toward**9)[:, None])
        edge = sample(self.noise, f32(azimuth * size * 1.9), np.full_like(up, 7.0), wrap=True)
        twigs = sample(self.noise, f32(azimuth * size * 14.0), f32(up * size * 14.0), wrap=True)
        top = self.treetop * (1.0 + 0.33 * edge) + 0.006 * twigs
        crowns = sample(self.noise, f32(azimuth * size * 4.2), f32(up * size * 5.5), wrap=True)
        shine = np.clip(up / np.maximum(top, 1e-3), 0.0, 1.0)
        tone = np.clip(1.0 + 0.30 * twigs + 0.38 * crowns, 0.2, 2.4) * (0.55 + 0.75 * shine)
        leaf = f32(light.trees) * tone[:, None] * (1.0 + 0.8 * f32(light.sun))
        leaf = mix(leaf, light.horizon, min(0.35, light.haze * 0.7))
        trees = smoothstep(0.004, -0.004, f32(up - top))[:, None]
        ground = smoothstep(0.002, -0.002, up)[:, None]
        return mix(mix(sky, leaf, trees), light.ground, ground)

    def soft(self, rays: Floats) -> Floats:
        """The same, out of focus: what a dull surface mirrors."""
        light = self.light
        up = rays[:, 2][:, None]
        sky = mix(light.horizon, light.zenith, np.clip(up, 0.0, 1.0) ** 0.6)
        sky = mix(f32(light.trees) * 1.6, sky, smoothstep(0.0, 0.22, f32(up)))
        toward = np.maximum(f32(rays @ light.sunward), 0.0)
        sky = f32(sky + f32(light.sun) * (0.22 * toward**14)[:, None])
        return mix(sky, light.ground, smoothstep(0.02, -0.18, f32(up)))


def shade(
    matter: Matter,
    points: Floats,
    rays: Floats,
    *,
    around: Surroundings,
    lamps: tuple[Lamp, ...],
    sunlit: Floats,
    open_sky: Floats,
    mirrored: Floats | None = None,
) -> Floats:
    """Radiance (N, 3) of surface points seen along `rays`.

    `sunlit` and `open_sky` (N,) say how much of the sun and of the sky reaches them. `mirrored` is
    what the reflected rays met, where that was traced; else the surroundings stand in.
    """
    light = around.light
    normal = matter.normal
    up = normal[:, 2][:, None]
    from_above = mix(light.horizon, light.zenith, 0.45)
    ambient = mix(light.ground, from_above, np.clip(0.5 + 0.62 * up, 0.0, 1.0))
    ambient = ambient * open_sky[:, None]
    sun = np.maximum(f32(normal @ light.sunward), 0.0) * sunlit
    falling = ambient + f32(light.sun) * sun[:, None]
    returned = np.zeros_like(falling)
    facing = np.clip(-dot(rays, normal), 0.0, 1.0)
    bounce = f32(rays + 2.0 * facing[:, None] * normal)
    sheen = np.zeros_like(falling)
    for lamp in lamps:
        lit, straight = lamp.shine(points, normal)
        reach = open_sky[:, None] ** 0.5
        falling = falling + lit * reach
        if lamp.beside_lens:
            returned = returned + straight * matter.retro[:, None]
        toward = unit(f32(f32(lamp.position) - points))
        sheen = sheen + straight * (np.maximum(dot(toward, bounce), 0.0) ** 60)[:, None] * 2.0
    share = matter.mirror + (1.0 - matter.mirror) * (1.0 - facing) ** 5
    share = share * matter.gloss
    seen = np.zeros_like(falling)
    shiny = np.flatnonzero(matter.gloss > 0.02)
    if shiny.size:
        sharpness = np.clip(matter.gloss[shiny] * 1.15 - 0.15, 0.0, 1.0)[:, None]
        sharp = around.look(bounce[shiny]) if mirrored is None else mirrored[shiny]
        blend = mix(around.soft(bounce[shiny]), sharp, sharpness)
        seen[shiny] = blend * (0.25 + 0.75 * open_sky[shiny])[:, None] + sheen[shiny]
    # Lacquer over metal flakes: a broad second highlight in the paint's own colour.
    toward_sun = np.maximum(f32(bounce @ light.sunward), 0.0) ** 18 * sunlit * matter.gloss
    flakes = matter.colour * f32(light.sun) * (0.30 * toward_sun)[:, None]
    body = matter.colour * falling * (1.0 - share)[:, None]
    return f32(body + flakes + seen * share[:, None] + matter.colour * returned + matter.glow)
