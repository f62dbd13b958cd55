"""Which of the models runs, and on what: picked by what this device has.

On a processor the eight-bit models are quicker and as exact; on graphics and neural hardware those
of 32 bits are left whole, and the runtime makes of them what it likes. What onnxruntime lists may
still fail to start (a driver is missing): the next is tried, and the processor always works.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import onnxruntime

from inference.detector import PlateDetector
from inference.engine import Engine
from inference.models import CPU, ModelError, load_session, registered
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
    failed: list[str] = []
    for one in wanted:
        found = _EIGHT_BITS if one == CPU else _WHOLE
        choice = Choice(one, found if precision == "auto" else precision, _because(one, failed))
        if one == CPU or _starts(choice):
            return choice
        failed.append(one)
    raise ModelError(f"{wanted[0]} is there and does not start: is its driver installed?")


def _because(provider: str, failed: Sequence[str]) -> str:
    before = f"{' and '.join(failed)} did not start; " if failed else ""
    if provider == CPU:
        return f"{before}the processor, whose eight-bit models are the quickest"
    return f"{before}{provider.removesuffix('ExecutionProvider')} is there"


def _starts(choice: Choice) -> bool:
    """Whether the provider takes the smaller model: onnxruntime falls back without an error."""
    try:
        session = load_session(registered(choice.name("plate-detector")), choice.providers)
    except ModelError:
        raise
    except Exception as error:  # each provider has its own
        log.warning("%s does not start: %s", choice.provider, type(error).__name__)
        return False
    return choice.provider in session.get_providers()


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
