"""What receivers and recorded tracks say of where they were: NMEA 0183, gpsd's JSON, GPX, CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

_KNOT = 0.514444
"""Metres a second."""

_MOVING = 0.5
"""Metres a second below which a receiver's course over ground is noise."""


class TrackError(ValueError):
    """A track that can't be used. `str()` is a sentence."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A place at a moment. `at`: seconds; `heading`: degrees clockwise from north, None while
    standing or not told."""

    at: float
    latitude: float
    longitude: float
    heading: float | None = None


def parse_nmea(line: str, at: float | None = None) -> Fix | None:
    """The fix in an RMC sentence, which every receiver sends; None for any other line, one whose
    checksum is wrong, and while the receiver has no fix.

    `at`: when it came; without, the sentence's own date and time, seconds since 1970.
    """
    line = line.strip()
    body, star, checksum = line[1:].partition("*")
    if not line.startswith("$") or not star or len(checksum) != 2:
        return None
    total = 0
    for byte in body.encode("ascii", "replace"):
        total ^= byte
    fields = body.split(",")
    if f"{total:02X}" != checksum.upper() or len(fields) < 10 or fields[0][2:] != "RMC":
        return None
    if fields[2] != "A":
        return None
    try:
        if at is None:
            second = f"{fields[9]}{fields[1].partition('.')[0]}"
            whole = datetime.strptime(second, "%d%m%y%H%M%S").replace(tzinfo=UTC)
            at = whole.timestamp() + float(f"0.{fields[1].partition('.')[2] or 0}")
        speed = float(fields[7] or 0) * _KNOT
        return _fix(
            at,
            _degrees(fields[3], 2) * (-1 if fields[4] == "S" else 1),
            _degrees(fields[5], 3) * (-1 if fields[6] == "W" else 1),
            float(fields[8]) if fields[8] and speed >= _MOVING else None,
        )
    except ValueError:
        return None


def parse_gpsd(line: str, at: float) -> Fix | None:
    """The fix in a TPV report of gpsd, None for any other line and without a fix (`mode` < 2)."""
    try:
        report = json.loads(line)
        if not isinstance(report, dict) or report.get("class") != "TPV" or report["mode"] < 2:
            return None
        moving = float(report.get("speed", 0.0)) >= _MOVING
        return _fix(
            at,
            float(report["lat"]),
            float(report["lon"]),
            float(report["track"]) if moving and "track" in report else None,
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def parse_track(data: bytes) -> list[Fix]:
    """A recorded track, in order of time: NMEA with RMC sentences, GPX 1.1 with times, or CSV with
    a heading `time,latitude,longitude[,heading]` (time: ISO 8601 or seconds). Raises TrackError."""
    text = data.decode("utf-8-sig", "replace")
    if text.lstrip().startswith("<"):
        found = _gpx(text)
    elif text.lstrip().startswith("$"):
        found = (fix for line in text.splitlines() if (fix := parse_nmea(line)))
    else:
        found = _csv(text)
    try:
        fixes = sorted(found, key=lambda fix: fix.at)
    except (ValueError, TypeError, KeyError) as error:
        raise TrackError("The track holds a time or place that cannot be read.") from error
    if not fixes:
        raise TrackError("The track holds no place with a time: it is no NMEA, GPX or CSV track.")
    return fixes


def _gpx(text: str) -> Iterator[Fix]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise TrackError("The track declares entities, which no GPX file needs.")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - see above
    except ElementTree.ParseError as error:
        raise TrackError("The track is not whole XML.") from error
    for point in root.iter():
        if point.tag.rpartition("}")[2] == "trkpt":
            time = next((one.text for one in point if one.tag.rpartition("}")[2] == "time"), None)
            if time:
                yield _fix(_second(time), float(point.attrib["lat"]), float(point.attrib["lon"]))


def _csv(text: str) -> Iterator[Fix]:
    rows = csv.DictReader(io.StringIO(text))
    if not {"time", "latitude", "longitude"} <= set(rows.fieldnames or ()):
        return
    for row in rows:
        if row["latitude"] and row["longitude"]:
            heading = row.get("heading")
            yield _fix(
                _second(row["time"]),
                float(row["latitude"]),
                float(row["longitude"]),
                float(heading) if heading else None,
            )


def _second(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _degrees(text: str, whole: int) -> float:
    """ddmm.mmmm or dddmm.mmmm."""
    return int(text[:whole]) + float(text[whole:]) / 60


def _fix(at: float, latitude: float, longitude: float, heading: float | None = None) -> Fix:
    """Raises ValueError for what is no place on Earth."""
    if not (math.isfinite(at) and abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError("no place on Earth")
    if heading is not None:
        if not math.isfinite(heading):
            raise ValueError("no heading")
        heading %= 360
    return Fix(at, latitude, longitude, heading)
