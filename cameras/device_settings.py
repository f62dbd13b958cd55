"""What a person may set on a camera's device, and whether the device does it.

The settings are those of the agent (`edge.settings.Settings`, which is installed without us: a test
holds the two together). Each change is a new version; the device hears of it with its next
heartbeat and answers with the version it has in force, or with the one it refused and why.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from django.db import transaction

from audit.services import Actor, record
from cameras import values
from cameras.keys import PURPOSE
from cameras.models import Camera, DeviceSettings
from core.models import User

Kind = Literal["word", "flag", "number", "whole", "regions", "polygon"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: how it is checked, what a device does that was told nothing, and its words for
    people. `words` are (value, label); `zero` is what 0 stands for where it is no number."""

    name: str
    kind: Kind
    default: Any
    label: str
    help: str = ""
    low: float = 0
    high: float = 1
    words: tuple[tuple[str, str], ...] = ()
    zero: str = ""


_MODES = (
    ("auto", "as it finds best"),
    ("read", "reads: text and a small crop"),
    ("crop", "crops of plates, read here"),
    ("frame", "whole frames, read here"),
)
_BLURS = (
    ("none", "nothing"),
    ("plates", "plates"),
    ("surroundings", "everything but plates"),
)

GROUPS: Final[tuple[tuple[str, tuple[Setting, ...]], ...]] = (
    (
        "What is sent",
        (
            Setting(
                "mode",
                "word",
                "auto",
                "Sends",
                "Left to itself it goes by its processor and by how fast the network is.",
                words=_MODES,
            ),
            Setting(
                "min_score",
                "number",
                0.5,
                "Lowest score",
                "Reads the device is less sure of are not sent. 0 to 1.",
            ),
            Setting(
                "region_of_interest",
                "polygon",
                [],
                "Region of interest",
                "Corners of the part of the picture where plates are looked for, as shares of its "
                "width and height: 0.1,0.4 0.9,0.4 1,1 0,1. Empty: everywhere.",
            ),
            Setting(
                "frames_per_second",
                "number",
                0.0,
                "Frames per second",
                "At most so many are looked at. 0: all.",
                high=1000,
                zero="all",
            ),
            Setting(
                "regions",
                "regions",
                [],
                "Countries",
                "Countries whose plates are common here, as a hint to the device's reader: CZ, SK. "
                "Empty: the site's own.",
            ),
            Setting(
                "regions_strict",
                "flag",
                False,
                "Only these countries",
                "A foreign plate is then read as free text, or as the nearest format of these.",
            ),
        ),
    ),
    (
        "Whole frames",
        (
            Setting(
                "squeeze_width",
                "whole",
                0,
                "Width",
                "Pixels a frame is made narrow to. 0: as it is.",
                high=8192,
                zero="as it is",
            ),
            Setting("squeeze_grey", "flag", False, "Without colour"),
            Setting(
                "squeeze_cut_top",
                "number",
                0.0,
                "Cut off the top",
                "Share of the height that holds sky and no plates. 0 to 0.9.",
                high=0.9,
                zero="nothing",
            ),
            Setting("squeeze_quality", "whole", 80, "JPEG quality", "1 to 100.", low=1, high=100),
        ),
    ),
    (
        "On the device",
        (
            Setting(
                "keep_hours",
                "number",
                168.0,
                "Hours kept",
                "What could not be sent for so long is thrown away, and so are larger pictures.",
                low=1,
                high=24 * 90,
            ),
            Setting(
                "heartbeat_seconds",
                "number",
                60.0,
                "Seconds between heartbeats",
                "Below the silence after which the site calls a camera offline.",
                low=5,
                high=3600,
            ),
            Setting(
                "thumbnail_minutes",
                "number",
                60.0,
                "Minutes between thumbnails",
                "A small picture of what the camera sees. 0: never.",
                high=24 * 60,
                zero="never",
            ),
            Setting(
                "blur",
                "word",
                "none",
                "Makes unrecognisable",
                "In frames that are sent, and on the device's own page.",
                words=_BLURS,
            ),
            Setting(
                "watch",
                "flag",
                False,
                "Keeps watchlists",
                "As tokens under a key of its own, so that a hit sounds without a network. Whoever "
                "seizes the running device can test one plate after another.",
            ),
            Setting(
                "csv",
                "flag",
                False,
                "Logs reads in a file",
                "On the device, in clear: only where that is wanted and allowed.",
            ),
        ),
    ),
)
SETTINGS: Final[Mapping[str, Setting]] = {
    one.name: one for _, settings in GROUPS for one in settings
}


def checked(raw: Any) -> dict[str, Any]:
    """All settings, JSON-ready: those in `raw`, and the defaults of the others.

    BadInput `unknown_field`, `<setting>_invalid`, `<setting>_out_of_range`, naming the setting.
    """
    given = values.mapping(raw, "settings", allowed=frozenset(SETTINGS))
    return {
        name: _value(one, given[name]) if name in given else one.default
        for name, one in SETTINGS.items()
    }


def _value(one: Setting, value: Any) -> Any:
    match one.kind:
        case "word":
            if not isinstance(value, str) or value not in dict(one.words):
                raise values.invalid(one.name, f"{one.name} is not one of its words.")
            return value
        case "flag":
            if not isinstance(value, bool):
                raise values.invalid(one.name, f"{one.name} is neither true nor false.")
            return value
        case "number":
            return values.number(value, one.name, low=one.low, high=one.high)
        case "whole":
            return values.integer(value, one.name, low=math.ceil(one.low), high=int(one.high))
        case "regions":
            if not isinstance(value, list):
                raise values.invalid(one.name, f"{one.name} is not a list.")
            return [values.country(code, one.name) for code in value]
        case "polygon":
            return _polygon(value, one.name)


def _polygon(value: Any, name: str) -> list[list[float]]:
    if not isinstance(value, list) or len(value) in (1, 2):
        raise values.invalid(name, f"{name} is not a list of no or at least three corners.")
    corners = []
    for corner in value:
        if not isinstance(corner, list) or len(corner) != 2:
            raise values.invalid(name, f"{name} has a corner that is not [x, y].")
        corners.append([values.number(part, name, low=0, high=1) for part in corner])
    return corners


def device_settings_save(
    *, camera: Camera, raw: Any, user: User | None, actor: Actor, now: datetime
) -> DeviceSettings:
    """Set what the device of `camera` is to do; a new version if anything changed.

    The audit log says which settings changed, and which version that made. BadInput as `checked`.
    """
    wanted = checked(raw)
    with transaction.atomic():
        # the camera's row, since there may be none of the settings to lock
        Camera.objects.select_for_update(of=("self",)).get(pk=camera.pk)
        row = DeviceSettings.objects.select_for_update().filter(camera=camera).first()
        before = row.values if row is not None else {}
        changed = sorted(name for name in wanted if before.get(name) != wanted[name])
        if row is not None and not changed:
            return row
        if row is None:
            row = DeviceSettings(camera=camera, version=0)
        row.version += 1
        row.values, row.changed_at, row.changed_by = wanted, now, user
        row.save()
        record(
            actor,
            "change",
            purpose=PURPOSE,
            subject=row._meta.label_lower,
            subject_id=camera.pk,
            detail={"what": "changed", "fields": changed, "version": row.version},
        )
    return row


def device_settings_heard(
    *, row: DeviceSettings, applied: int | None, refused: int | None, field: str
) -> None:
    """Note what a device says: which version it has in force, which one it refused because of
    which setting. Nothing is written where nothing changed."""
    said = (applied if applied is not None else row.applied_version, refused, field)
    if said == (row.applied_version, row.refused_version, row.refused_field):
        return
    DeviceSettings.objects.filter(pk=row.pk).update(
        applied_version=said[0], refused_version=refused, refused_field=field
    )
    row.applied_version, row.refused_version, row.refused_field = said


def for_device(row: DeviceSettings | None) -> dict[str, Any]:
    """What goes out with a heartbeat's answer: every setting and `version`, or nothing at all
    where nobody has set anything."""
    return {} if row is None else {"version": row.version, **row.values}


def watches(camera: Camera) -> bool:
    """Whether the device of `camera` may keep tokens of watchlists."""
    row = DeviceSettings.objects.filter(camera=camera).first()
    return row is not None and row.values.get("watch") is True
