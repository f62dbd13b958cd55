"""A Raspberry Pi's own camera, through picamera2, which comes with the Pi's system packages."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from edge.sources.base import SourceError, SourceLostError
from edge.sources.stream import PATIENCE, Wanted
from inference.results import Picture

_SIZE = (1280, 720)


class PiCamera:
    """Raises SourceError without picamera2, SourceLostError without a camera."""

    def __init__(self, number: int, wanted: Wanted) -> None:
        try:
            library: Any = importlib.import_module("picamera2")
        except ImportError as error:
            raise SourceError(
                "picamera2 is not installed: on a Raspberry Pi, install python3-picamera2 and "
                "make the agent's environment with --system-site-packages."
            ) from error
        try:
            self._camera = library.Picamera2(number)
        except (RuntimeError, IndexError) as error:
            raise SourceLostError("there is no such camera, or something else uses it") from error
        try:
            # libcamera names the order of bytes in a word: its RGB888 is BGR in memory
            size = (wanted.width or _SIZE[0], wanted.height or _SIZE[1])
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"format": "RGB888", "size": size},
                    controls={"FrameRate": wanted.fps} if wanted.fps else {},
                )
            )
            self._camera.start()
        except RuntimeError as error:
            self._camera.close()
            raise SourceLostError("it does not take the width, height or rate asked for") from error

    def read(self) -> Picture:
        job = self._camera.capture_array("main", wait=False)
        try:
            picture = self._camera.wait(job, timeout=PATIENCE)
        except (TimeoutError, RuntimeError) as error:
            raise SourceLostError("it stopped sending") from error
        return np.ascontiguousarray(picture[:, :, :3], dtype=np.uint8)

    def close(self) -> None:
        self._camera.stop()
        self._camera.close()
