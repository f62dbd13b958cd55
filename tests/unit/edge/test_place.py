"""Where the camera was: recorded tracks, an NMEA receiver, gpsd."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.clock import Clock
from edge.fixes import Fix, TrackError, parse_gpsd, parse_nmea, parse_track
from edge.health import Health
from edge.place import PlaceError, open_place, position

RMC = "$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A"
"""The example that the NMEA documents give."""


def sentence(body: str) -> str:
    total = 0
    for byte in body.encode():
        total ^= byte
    return f"${body}*{total:02X}"


def rmc(second: int, latitude: str, longitude: str, speed: float = 0, course: str = "") -> str:
    return sentence(
        f"GNRMC,1200{second:02d}.00,A,{latitude},N,{longitude},E,{speed:.1f},{course},010326,,,A"
    )


def test_the_example_of_the_nmea_documents() -> None:
    fix = parse_nmea(RMC)
    assert fix is not None
    assert fix.at == 764426119.0  # 1994-03-23 12:35:19 UTC
    assert fix.latitude == pytest.approx(48.1173)
    assert fix.longitude == pytest.approx(11.516667, abs=1e-6)
    assert fix.heading == 84.4
    assert parse_nmea(RMC + "\r\n", at=5.0) == Fix(5.0, fix.latitude, fix.longitude, 84.4)


def test_south_and_west_are_negative_and_a_second_has_parts() -> None:
    fix = parse_nmea(sentence("GPRMC,000000.25,A,3351.000,S,07030.000,W,9.0,359.9,010326,,"))
    assert fix is not None
    assert (fix.latitude, fix.longitude) == (-33.85, -70.5)
    assert fix.at % 1 == 0.25


@pytest.mark.parametrize(
    "line",
    [
        "",
        "GPRMC",
        RMC[:-1],
        RMC.replace("084.4", "085.4"),
        sentence("GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"),
        sentence("GPRMC,123519,V,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W"),
        sentence("GPRMC,,A,,,,,,,,,"),
        sentence("GPRMC,123519,A,9907.038,N,01131.000,E,022.4,084.4,230394,,"),
        sentence("GPRMC,123519,A,4807.038,N,01131.000,E,022.4,nan,230394,,"),
        sentence("GPRMC,996199,A,4807.038,N,01131.000,E,022.4,084.4,230394,,"),
    ],
)
def test_other_lines_are_no_fix(line: str) -> None:
    assert parse_nmea(line) is None


def test_a_standing_receivers_course_is_noise() -> None:
    fix = parse_nmea(rmc(0, "4807.038", "01131.000", speed=0.3, course="211.0"))
    assert fix is not None
    assert fix.heading is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{",
        '{"class":"VERSION"}',
        '{"class":"TPV","mode":1}',
        '{"class":"TPV","mode":3,"lat":"north","lon":1}',
        '{"class":"TPV","mode":3,"lat":91,"lon":1}',
        '{"class":"TPV","mode":3}',
        '{"class":"TPV"}',
        "[" * 100_000,
    ],
)
def test_other_reports_of_gpsd_are_no_fix(line: str) -> None:
    assert parse_gpsd(line, 1.0) is None


GPX = """<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk>
<trkseg><trkpt lat="49.0" lon="16.0"><ele>200</ele><time>2026-03-01T12:00:00Z</time></trkpt>
<trkpt lat="49.001" lon="16.0"><time>2026-03-01T12:00:10Z</time></trkpt>
<trkpt lat="49.002" lon="16.0"/></trkseg></trk></gpx>"""
CSV = (
    "time,text,latitude,longitude,heading\r\n"
    "2026-03-01T12:00:10Z,,49.001,16.0,\r\n"
    "2026-03-01T12:00:05Z,,,,\r\n"
    "2026-03-01T12:00:00Z,,49.0,16.0,0\r\n"
)
NMEA = "\n".join([rmc(0, "4900.000", "01600.000"), "$junk", rmc(10, "4900.060", "01600.000")])


@pytest.mark.parametrize("text", [GPX, CSV, NMEA, "\ufeff" + CSV])
def test_the_three_kinds_of_track_say_the_same(tmp_path: Path, text: str) -> None:
    path = tmp_path / "track"
    path.write_text(text, encoding="utf-8")
    place = open_place(str(path), clock=Clock(), health=Health())
    begin = place.at(500.0)
    middle = place.at(505.0)
    assert begin is not None
    assert middle is not None
    assert begin.latitude == pytest.approx(49.0)
    assert middle.latitude == pytest.approx(49.0005)
    assert middle.longitude == pytest.approx(16.0)
    assert middle.heading == pytest.approx(0.0), "northwards"
    assert place.at(514.0) is not None
    assert place.at(516.0) is None, "long after the last fix nobody knows"
    place.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff" * 50,
        b"time,latitude\n1,2\n",
        b"time,latitude,longitude\nyesterday,2,3\n",
        b"time,latitude,longitude\n1,2\n",
        b"time,latitude,longitude\n1,nan,3\n",
        b"<gpx><trk>",
        b"<gpx/>",
        b'<gpx><trkpt lat="1"><time>2026-03-01T12:00:00Z</time></trkpt></gpx>',
        b'<!DOCTYPE gpx [<!ENTITY a "b">]><gpx>&a;</gpx>',
        b"$GPGGA,1",
    ],
)
def test_what_is_no_track_is_refused_with_a_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(TrackError):
        parse_track(data)
    path = tmp_path / "track"
    path.write_bytes(data)
    with pytest.raises(PlaceError, match=r"\.$"):
        open_place(str(path), clock=Clock(), health=Health())


@pytest.mark.parametrize(
    "spec", ["/nowhere", "gpsd://", "gpsd://[::1", "gpsd://h:port", "/dev/ttyX?baud=9601", "nmea:"]
)
def test_what_can_be_no_place_is_refused(spec: str) -> None:
    with pytest.raises(PlaceError):
        place = open_place(spec, clock=Clock(), health=Health())
        place.close()
        raise PlaceError("opened: tried again for ever")


def test_between_two_fixes_the_way_is_straight_and_headings_turn_the_shorter_way() -> None:
    fixes = [Fix(0, 10, 179.9, 350), Fix(10, 11, -179.9, 10)]
    middle = position(fixes, 5)
    assert middle is not None
    assert middle.latitude == pytest.approx(10.5)
    assert abs(middle.longitude) == pytest.approx(180)
    assert middle.heading == pytest.approx(0)
    late = position(fixes, 7.5)
    assert late is not None
    assert late.longitude == pytest.approx(-179.95)
    assert late.heading == pytest.approx(5)


def test_a_gap_is_not_bridged() -> None:
    fixes = [Fix(0, 10, 10, None), Fix(60, 11, 10, 90)]
    assert position(fixes, -0.1) is None
    before = position(fixes, 4)
    assert before is not None
    assert before.latitude == 10
    assert position(fixes, 30) is None
    at_last = position(fixes, 60)
    assert at_last is not None
    assert at_last.heading == 90
    assert position([], 1) is None


@pytest.fixture
def serial() -> Iterator[tuple[int, str]]:
    """A serial line: what is written to the first end can be read at the path of the other."""
    ours, theirs = os.openpty()
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def until(condition: object) -> None:
    assert callable(condition)
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


@pytest.mark.parametrize("prefix", ["", "nmea:"])
def test_a_receiver_on_a_serial_line(serial: tuple[int, str], prefix: str) -> None:
    line, path = serial
    clock = Clock()
    place = open_place(f"{prefix}{path}?baud=4800", clock=clock, health=Health())
    try:
        assert place.at(clock.now()) is None
        for text in (rmc(0, "4900.000", "01600.000", 20, "90.0"), rmc(1, "4900.000", "01600.010")):
            half = len(text) // 2
            os.write(line, text[:half].encode())
            os.write(line, text[half:].encode() + b"\r\n")
        until(lambda: (now := place.at(clock.now())) and now.longitude > 16.0001)
        now = place.at(clock.now())
        assert now is not None
        assert now.latitude == pytest.approx(49.0)
        assert now.heading == pytest.approx(90.0)
        assert place.at(clock.now() + 6) is None, "stale"
    finally:
        place.close()


def test_what_came_before_the_line_was_opened_is_not_thrown_away(
    serial: tuple[int, str],
) -> None:
    line, path = serial
    os.write(line, rmc(0, "4900.000", "01600.000").encode() + b"\n")
    clock = Clock()
    place = open_place(path, clock=clock, health=Health())
    try:
        until(lambda: place.at(clock.now()) is not None)
    finally:
        place.close()


def test_a_receiver_that_is_not_there_is_told_and_no_error() -> None:
    health = Health()
    place = open_place("/dev/ttyNONE", clock=Clock(), health=health)
    until(lambda: "place" in health.troubles)
    assert "does not answer" in health.troubles["place"]
    place.close()


def test_gpsd_is_asked_and_asked_again_after_it_went_away() -> None:
    clock, health = Clock(), Health()
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = open_place(
            f"gpsd://127.0.0.1:{server.getsockname()[1]}", clock=clock, health=health
        )

        def speak(latitude: float) -> socket.socket:
            peer, _ = server.accept()
            peer.sendall(b'{"class":"VERSION","release":"3.22"}\r\n')
            asked.append(peer.recv(200))
            report = {"class": "TPV", "mode": 3, "lat": latitude, "lon": 16.5}
            report |= {"speed": 13.2, "track": 270.5}
            peer.sendall(json.dumps(report).encode() + b"\r\n")
            return peer

        server.settimeout(20)
        peer = speak(49.5)
        until(lambda: place.at(clock.now()) is not None)
        here = place.at(clock.now())
        assert here is not None
        assert (here.latitude, here.longitude, here.heading) == (49.5, 16.5, 270.5)
        assert asked[0].startswith(b'?WATCH={"enable":true,"json":true}')
        peer.close()
        until(lambda: "place" in health.troubles)
        peer = speak(49.6)
        until(lambda: (now := place.at(clock.now())) and now.latitude > 49.55)
        assert "place" not in health.troubles
        peer.close()
        place.close()
    assert not any(thread.name == "place" for thread in threading.enumerate())
