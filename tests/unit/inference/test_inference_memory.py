"""What a picture took is kept for the next one."""

import ctypes
import resource
import sys

import cv2
import numpy as np
import pytest

from inference.memory import keep_memory
from inference.pictures import decode_picture

PAGE = 4096
WIDTH, HEIGHT = 1280, 720


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc"
)
def test_a_frame_is_decoded_into_memory_of_the_one_before() -> None:
    done, jpeg = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    assert done
    keep_memory()
    decode_picture(jpeg.tobytes())
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        decode_picture(jpeg.tobytes())
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    assert faults < WIDTH * HEIGHT * 3 // PAGE  # of one frame, where ten were decoded
