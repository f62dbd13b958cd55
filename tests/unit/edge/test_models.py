"""Which models run, and on what."""

from typing import Any

import onnxruntime
import pytest

from edge import models
from edge.models import choose, make_engine
from inference.models import CPU, ModelError, registered


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say which providers there are, and which of them start."""

    def say(*names: str, starts: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*names, CPU])

        class Session:
            def __init__(self, providers: Any) -> None:
                self.providers = [one for one in providers if one in (*starts, CPU)]

            def get_providers(self) -> list[str]:
                return self.providers

        def load(model: Any, providers: Any) -> Session:
            if "Broken" in providers[0]:
                raise RuntimeError("no such library")
            return Session(providers)

        monkeypatch.setattr(models, "load_session", load)

    return say


def test_a_processor_runs_eight_bits(there: Any) -> None:
    there()
    choice = choose()
    assert (choice.provider, choice.precision, choice.providers) == (CPU, "int8", (CPU,))
    assert choice.name("plate-detector") == "plate-detector"


@pytest.mark.parametrize(
    ("names", "picked"),
    [
        (("CUDAExecutionProvider", "TensorrtExecutionProvider"), "TensorrtExecutionProvider"),
        (("CUDAExecutionProvider",), "CUDAExecutionProvider"),
        (("OpenVINOExecutionProvider",), "OpenVINOExecutionProvider"),
        (("CoreMLExecutionProvider",), "CoreMLExecutionProvider"),
        (("AzureExecutionProvider",), CPU),
    ],
)
def test_the_quickest_that_is_there_is_picked(
    there: Any, names: tuple[str, ...], picked: str
) -> None:
    there(*names, starts=names)
    choice = choose()
    assert choice.provider == picked
    assert choice.precision == ("int8" if picked == CPU else "fp32")
    assert choice.providers[-1] == CPU
    assert registered(choice.name("plate-reader"))


def test_what_does_not_start_is_passed_over_and_said(there: Any) -> None:
    there("TensorrtExecutionProvider", "CUDAExecutionProvider", starts=("CUDAExecutionProvider",))
    choice = choose()
    assert choice.provider == "CUDAExecutionProvider"
    assert "TensorrtExecutionProvider did not start" in choice.because
    there("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert choose().provider == CPU


def test_what_is_asked_for_is_had_or_refused(there: Any) -> None:
    there("CUDAExecutionProvider", starts=("CUDAExecutionProvider",))
    assert choose("cpu").provider == CPU
    assert choose("cpu", "fp32").name("plate-reader") == "plate-reader.fp32"
    assert choose("cuda").provider == "CUDAExecutionProvider"
    with pytest.raises(ModelError, match="no provider openvino"):
        choose("openvino")
    with pytest.raises(ModelError, match="no precision int4"):
        choose("cpu", "int4")
    there("CUDAExecutionProvider")
    with pytest.raises(ModelError, match="does not start"):
        choose("cuda")


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_both_precisions_read(precision: str) -> None:
    engine = make_engine(choose("cpu", precision), ("EU",))
    engine.warm_up()
    assert engine.versions["detector"].startswith(choose("cpu", precision).name("plate-detector"))


def test_engines_of_one_choice_share_their_models() -> None:
    one, other = make_engine(choose("cpu")), make_engine(choose("cpu"), ("BR",), strict=True)
    assert one.detector is other.detector
    assert one.recogniser is other.recogniser
