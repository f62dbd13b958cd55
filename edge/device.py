"""How the machine is: its processor, memory, disk and temperature."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Final

import psutil

from edge.health import Value

_MEGABYTE: Final = 1e6
_SENSORS: Final = ("cpu_thermal", "coretemp", "k10temp", "soc_thermal", "cpu-thermal")
"""The processor's own, by what a Raspberry Pi, Intel, AMD and other boards call it."""


def device_facts(folder: Path) -> dict[str, Value]:
    """`cpu_percent` (of all cores, over the last minute), `memory_percent`, `memory_mb` (this
    process), `disk_percent` and `disk_free_mb` (of the disk `folder` is on), `temperature_c` and
    `python`; what the machine does not tell is left out."""
    found: dict[str, Value] = {"python": platform.python_version()}
    cores = os.cpu_count() or 1
    found["cpu_percent"] = round(min(100.0, 100 * psutil.getloadavg()[0] / cores), 1)
    found["memory_percent"] = psutil.virtual_memory().percent
    found["memory_mb"] = round(psutil.Process().memory_info().rss / _MEGABYTE, 1)
    try:
        disk = shutil.disk_usage(folder)
    except OSError:
        pass
    else:
        found["disk_percent"] = round(100 * (1 - disk.free / disk.total), 1)
        found["disk_free_mb"] = round(disk.free / _MEGABYTE)
    if (temperature := _temperature()) is not None:
        found["temperature_c"] = temperature
    return found


def _temperature() -> float | None:
    read = getattr(psutil, "sensors_temperatures", None)  # Linux and FreeBSD only
    try:
        sensors = read() if read else {}
    except OSError:
        return None
    for name in (*_SENSORS, *sensors):
        for one in sensors.get(name, ()):
            if -40 < one.current < 150:
                return round(float(one.current), 1)
    return None
