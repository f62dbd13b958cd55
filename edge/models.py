"""Which of the models runs, and on what: picked by what this device has.

On a processor the eight-bit models are quicker and as exact; on graphics and neural hardware those
of 32 bits are left whole, and the runtime makes of them what it likes. What onnxruntime lists may
still fail to start (a driver is missing), or be slower than the processor (OpenVINO without a
graphics chip): so each is tried on a picture, and the processor always works.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import onnxruntime

from inference.detector import PlateDetector
from inference.engine import Engine
from inference.models import CPU, ModelError, registered
from inference.reader import PlateReader

log = logging.getLogger(__name__)

ORDER: Final = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    "CoreMLExecutionProvider",
    CPU,
)
_WHOLE: Final = "fp32"
_EIGHT_BITS: Final = "int8"
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """`provider`: onnxruntime's name; `precision`: "int8" or "fp32"; `because`: for people."""

    provider: str
    precision: str
    because: str

    @property
    def providers(self) -> tuple[str, ...]:
        """For onnxruntime: the processor does what the chosen one can't."""
        return (self.provider,) if self.provider == CPU else (self.provider, CPU)

    def name(self, model: str) -> str:
        """The registered name of "plate-detector" or "plate-reader" in this precision."""
        return model if self.precision == _EIGHT_BITS else f"{model}.{self.precision}"


def choose(provider: str = "auto", precision: str = "auto") -> Choice:
    """What to run on. `provider`: onnxruntime's name, its beginning ("cuda", "openvino"), or
    "auto"; `precision`: "int8", "fp32" or "auto". Raises ModelError where the named one is not
    there or does not start."""
    if precision not in ("auto", _EIGHT_BITS, _WHOLE):
        raise ModelError(f"There is no precision {precision}; there are int8 and fp32.")
    there = onnxruntime.get_available_providers()
    wanted = [
        one
        for one in ORDER
        if one in there and (provider == "auto" or one.lower().startswith(provider.lower()))
    ]
    if not wanted:
        raise ModelError(f"onnxruntime has no provider {provider} here; it has {', '.join(there)}.")
    if wanted == [CPU]:
        return Choice(CPU, _precision(CPU, precision), "the processor is what there is")
    bar = math.inf
    if CPU in wanted:
        bar = seconds(Choice(CPU, _precision(CPU, precision), "")) or math.inf
    passed_over: list[str] = []
    for one in wanted:
        short = one.removesuffix("ExecutionProvider")
        choice = Choice(
            one, _precision(one, precision), "; ".join([*passed_over, f"{short} it is"])
        )
        if one == CPU:
            return choice
        took = seconds(choice)
        if took is None:
            passed_over.append(f"{short} does not start")
        elif took >= bar:
            passed_over.append(f"{short} is slower than the processor")
        else:
            return choice
    raise ModelError(f"{wanted[0]} is there and does not start: is its driver installed?")


def _precision(provider: str, wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return _EIGHT_BITS if provider == CPU else _WHOLE


def seconds(choice: Choice) -> float | None:
    """What looking for plates in a picture of 1280×720 takes, the quickest of a few times; None
    where the provider does not start. ModelError where the models are not there."""
    detector = PlateDetector(registered(choice.name("plate-detector")), providers=choice.providers)
    picture = np.zeros((720, 1280, 3), np.uint8)
    try:
        if choice.provider not in detector.providers_in_use:  # it falls back without an error
            return None
        detector.detect(picture)  # the first time, some compile
        return min(_timed(lambda: detector.detect(picture)) for _ in range(_TRIES))
    except ModelError:
        raise
    except Exception as error:  # each provider has its own
        log.warning("%s does not start: %s", choice.provider, type(error).__name__)
        return None


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@lru_cache(maxsize=4)
def _parts(choice: Choice) -> tuple[PlateDetector, PlateReader]:
    return (
        PlateDetector(registered(choice.name("plate-detector")), providers=choice.providers),
        PlateReader(registered(choice.name("plate-reader")), providers=choice.providers),
    )


def make_engine(choice: Choice, regions: Sequence[str] = (), *, strict: bool = False) -> Engine:
    """An engine for a site's regions. All of one choice share the loaded models. Raises
    SyntaxFileError, ModelError."""
    detector, reader = _parts(choice)
    return Engine(regions, strict=strict, detector=detector, recogniser=reader)
