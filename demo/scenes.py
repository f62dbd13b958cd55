"""The pictures of the demo: scenes of invented vehicles, drawn the same way every time.

`draw` turns a `SceneSpec` into a picture whose number plate is known; `python -m demo.scenes` draws
every picture of `script.json` again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from demo.scenery import lens
from demo.scenery.bodywork import MODELS, PAINTS
from demo.scenery.field import Floats, cloud, f32
from demo.scenery.light import HOURS, Lamp, Light, Surroundings
from demo.scenery.optics import Camera
from demo.scenery.places import LANE, Place, car_park, motorway
from demo.scenery.plates import STYLES, canonical, draw_face, mount, soil, style_of
from demo.scenery.solids import Pose
from demo.scenery.vehicles import Build, Vehicle, build
from demo.scenery.world import World

HERE = Path(__file__).parent
SCRIPT = HERE / "script.json"
PICTURES = HERE / "pictures"

VIEWS = {
    "gantry-north": ("motorway", "rear"),
    "gantry-south": ("motorway", "front"),
    "in": ("car_park_in", "front"),
    "out": ("car_park_out", "rear"),
}
"""Where each of the demo's cameras stands, and which end of a vehicle it sees."""

WIDTH, HEIGHT = 1280, 720
MOST_BYTES = 70_000
_OVERSAMPLING = 1.5
_LEFT_LANE, _RIGHT_LANE = -LANE / 2, LANE / 2


@dataclass(frozen=True)
class SceneSpec:
    """One picture. Everything that isn't given here follows from `seed`.

    `plate` is the text as printed, groups parted by spaces. `motion` and `defocus` are in pixels,
    `dirt` (of the plate) and `grime` (of the body) from 0 to 1, `noise` in shares of full scale.
    """

    seed: int
    plate: str
    country: str
    place: str
    facing: str = "rear"
    vehicle: str = "hatchback"
    paint: str = "silver"
    hour: str = "day"
    lane: str = "right"
    rain: float = 0.0
    motion: float = 0.0
    defocus: float = 0.0
    dirt: float = 0.0
    grime: float = 0.12
    noise: float = 0.012
    quality: int = 82
    turn: float = 0.0
    """How far the vehicle stands turned from the lane, degrees."""
    company: bool = True
    """Whether other vehicles are about."""

    def __post_init__(self) -> None:
        known: dict[str, tuple[str, Sequence[str]]] = {
            "country": (self.country, list(STYLES)),
            "place": (self.place, ["motorway", "car_park_in", "car_park_out"]),
            "facing": (self.facing, ["front", "rear"]),
            "vehicle": (self.vehicle, list(MODELS)),
            "paint": (self.paint, list(PAINTS)),
            "hour": (self.hour, list(HOURS)),
            "lane": (self.lane, ["left", "right"]),
        }
        for name, (value, allowed) in known.items():
            if value not in allowed:
                raise ValueError(f"{name} {value!r} is not one of {', '.join(allowed)}")


@dataclass(frozen=True)
class Scene:
    """A drawn scene: `picture` is BGR bytes (720, 1280, 3); `quad` the plate's four corners (x, y)
    in pixels, a pixel's centre at whole numbers, clockwise from the top left; `text` its canonical
    text."""

    picture: lens.Picture
    quad: tuple[tuple[float, float], ...]
    text: str

    def jpeg(self, quality: int = 82) -> bytes:
        """The picture as JPEG, at most `MOST_BYTES` long."""
        return lens.encode(self.picture, quality, MOST_BYTES)


def draw(spec: SceneSpec) -> Scene:
    """The scene of `spec`: equal specs give equal bytes on one version of the libraries."""
    rng = np.random.default_rng(spec.seed)
    noise = cloud(rng)
    light = HOURS[spec.hour]
    camera, stand = _viewpoint(spec, rng)
    order = Build(
        spec.vehicle,
        spec.paint,
        stand,
        front=spec.facing == "front",
        lit=light.night or spec.rain > 0.3,
        dirt=spec.grime,
        noise=noise,
    )
    vehicle = build(order)
    others = _company(spec, rng, lit=order.lit) if spec.company else []
    place = _place(spec, noise, light)

    style = style_of(spec.country, rear=spec.facing == "rear")
    face = soil(*draw_face(spec.plate, style), spec.dirt, rng)
    rough = camera.project(f32([vehicle.plate.origin]))[0]
    away = float(np.linalg.norm(f32(vehicle.plate.origin) - f32(camera.position)))
    across = style.width / 1000 * camera.focal / away * _OVERSAMPLING
    fittings, corners = mount(face, style, vehicle.plate, pixels=across)
    if not (0 < rough[0] < WIDTH and 0 < rough[1] < HEIGHT):
        raise ValueError("the plate lies outside the picture")

    world = World(
        solids=(*vehicle.solids, *fittings, *place.solids, *(s for o in others for s in o.solids)),
        ground=place.ground,
        around=Surroundings(light, noise, place.treetop),
        lamps=(*place.lamps, *vehicle.lamps, *_illuminator(camera, away, light)),
        footprints=(vehicle.footprint, *(o.footprint for o in others)),
        wet=min(1.0, spec.rain * 1.2),
    )
    radiance = _expose(spec, world, camera, away, rng)
    picture = lens.sharpen(lens.develop(radiance, light.exposure, spec.noise, rng), 0.35)
    # From the pixels' edges, which the camera counts from, to their centres.
    quad = tuple((float(x), float(y)) for x, y in camera.project(corners) - 0.5)
    return Scene(picture, quad, canonical(spec.plate))


def _expose(
    spec: SceneSpec, world: World, camera: Camera, away: float, rng: np.random.Generator
) -> Floats:
    """What reaches the sensor, in the picture's own size."""
    fine = (round(HEIGHT * _OVERSAMPLING), round(WIDTH * _OVERSAMPLING))
    radiance, distance, moving = world.render(camera, fine[1], fine[0], rng)
    radiance = lens.streak(
        radiance, moving, spec.motion * _OVERSAMPLING, 90.0 + float(rng.uniform(-6, 6))
    )
    radiance = lens.focus(
        radiance, distance, away, 3.2 * _OVERSAMPLING, spec.defocus * _OVERSAMPLING
    )
    radiance = f32(cv2.resize(radiance, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))
    radiance = lens.bloom(radiance, 1.0 if world.around.light.night else 0.35)
    glare = f32(world.around.light.horizon) + (0.02 if world.around.light.night else 0.0)
    return lens.rain(radiance, spec.rain, glare, rng)


def _viewpoint(spec: SceneSpec, rng: np.random.Generator) -> tuple[Camera, Pose]:
    """The camera, and where the vehicle's near end stands."""
    if spec.place == "motorway":
        lane = _LEFT_LANE if spec.lane == "left" else _RIGHT_LANE
        x, y = lane + float(rng.uniform(-0.18, 0.18)), float(rng.uniform(10.0, 11.0))
        camera = Camera(
            position=(0.25 * lane, 0.0, 4.3),
            yaw=float(np.degrees(np.arctan2(x - 0.25 * lane, y + 2.0))) * 0.78,
            pitch=16.0,
            roll=float(rng.uniform(-0.6, 0.6)),
            focal=2300.0,
            width=WIDTH,
            height=HEIGHT,
        )
        return camera, Pose((x, y, 0.0), yaw=float(rng.uniform(-1.2, 1.2)) + spec.turn)
    side = 1.0 if spec.place == "car_park_in" else -1.0
    x, y = float(rng.uniform(-0.18, 0.18)), float(rng.uniform(4.9, 5.6))
    camera = Camera(
        position=(side * 1.75, 0.0, 1.65),
        yaw=-side * 14.5,
        pitch=7.0,
        roll=float(rng.uniform(-0.8, 0.8)),
        focal=1400.0,
        width=WIDTH,
        height=HEIGHT,
    )
    return camera, Pose((x, y, 0.0), yaw=float(rng.uniform(-2.5, 2.5)) + spec.turn)


def _place(spec: SceneSpec, noise: Floats, light: Light) -> Place:
    wet = min(1.0, spec.rain * 1.2)
    if spec.place == "motorway":
        return motorway(noise, wet=wet, night=light.night, lit_left=spec.lane == "left")
    return car_park(noise, wet=wet, night=light.night, outward=spec.place == "car_park_out")


def _company(spec: SceneSpec, rng: np.random.Generator, *, lit: bool) -> list[Vehicle]:
    """Other vehicles, too far off or too oblique for their plates (they have none) to matter."""
    models, paints = list(MODELS), list(PAINTS)
    orders = []
    if spec.place == "motorway":
        other = _RIGHT_LANE if spec.lane == "left" else _LEFT_LANE
        own = _LEFT_LANE + _RIGHT_LANE - other
        for lane, y in ((other, float(rng.uniform(20, 27))), (own, float(rng.uniform(36, 46)))):
            orders.append(Build(
                str(rng.choice(models)), str(rng.choice(paints)), Pose((lane, y, 0.0)),
                front=spec.facing == "front", lit=lit, group=0,
            ))  # fmt: skip
    else:
        for bay in (-4, -3, -2, -1, 0, 1, 2, 3):
            model, paint = str(rng.choice(models[:3])), str(rng.choice(paints))
            front, taken = bool(rng.random() < 0.5), rng.random() < 0.72
            if taken:
                at = (bay * 2.6 + float(rng.uniform(-0.12, 0.12)), float(rng.uniform(17.9, 18.4)))
                orders.append(Build(model, paint, Pose((*at, 0.0)), front=front, group=0))
    return [build(order) for order in orders]


def _illuminator(camera: Camera, away: float, light: Light) -> tuple[Lamp, ...]:
    """The lamp beside the lens, by night: strong enough for a plate to answer."""
    if not light.night:
        return ()
    power = 0.19 * away**2 * (1.0 if light.exposure > 2 else 0.45)
    axis = camera.axes()[2]
    aim = (float(axis[0]), float(axis[1]), float(axis[2]))
    colour = (power, power * 0.98, power * 0.95)
    return (Lamp(camera.position, colour, aim, spread=0.80, beside_lens=True),)


def spec_of(entry: dict[str, Any]) -> SceneSpec:
    """The scene of one picture of the script."""
    place, facing = VIEWS[entry["camera"]]
    return SceneSpec(country=entry["country"], place=place, facing=facing, **entry["scene"])


def read_script(path: Path = SCRIPT) -> dict[str, Any]:
    script: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return script


def contact_sheet(pictures: Sequence[lens.Picture], columns: int = 4) -> lens.Picture:
    """All pictures in one, a quarter of their size each way."""
    size = (WIDTH // 3, HEIGHT // 3)
    small = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures]
    rows = -(-len(small) // columns)
    sheet = np.full((rows * size[1], columns * size[0], 3), 255, np.uint8)
    for number, picture in enumerate(small):
        top, left = number // columns * size[1], number % columns * size[0]
        sheet[top : top + size[1], left : left + size[0]] = picture
    return sheet


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.scenes", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the pictures here")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet here")
    parser.add_argument("--only", metavar="PREFIX", default="", help="only pictures named so")
    wanted = parser.parse_args(arguments)
    drawn = []
    for entry in read_script()["pictures"]:
        if not entry["picture"].startswith(wanted.only):
            continue
        spec = spec_of(entry)
        scene = draw(spec)
        drawn.append(scene.picture)
        data = scene.jpeg(spec.quality)
        if wanted.out:
            wanted.out.mkdir(parents=True, exist_ok=True)
            (wanted.out / entry["picture"]).write_bytes(data)
        print(f"{entry['picture']}  {len(data)} bytes", flush=True)
    if wanted.sheet and drawn:
        cv2.imwrite(str(wanted.sheet), contact_sheet(drawn))
    return 0


if __name__ == "__main__":
    sys.exit(main())
