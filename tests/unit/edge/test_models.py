"""Which models run, and on what."""

from typing import Any

import onnxruntime
import pytest

from edge import models
from edge.models import Choice, choose, make_engine
from inference.models import CPU, ModelError, registered


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say which providers there are, and how many seconds each that starts takes."""

    def say(*names: str, cpu: float = 0.05, **takes: float) -> None:
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*names, CPU])
        monkeypatch.setattr(
            models,
            "seconds",
            lambda choice: takes.get(choice.provider, cpu if choice.provider == CPU else None),
        )

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
    there(*names, **dict.fromkeys(names, 0.01))
    choice = choose()
    assert choice.provider == picked
    assert choice.precision == ("int8" if picked == CPU else "fp32")
    assert choice.providers[-1] == CPU
    assert registered(choice.name("plate-reader"))


def test_what_does_not_start_is_passed_over_and_said(there: Any) -> None:
    both = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    there(*both, CUDAExecutionProvider=0.01)
    choice = choose()
    assert choice.provider == "CUDAExecutionProvider"
    assert choice.because == "Tensorrt does not start; CUDA it is"
    there(*both)
    assert choose().provider == CPU


def test_what_is_slower_than_the_processor_is_passed_over(there: Any) -> None:
    """OpenVINO on a processor alone: seen to be."""
    there("OpenVINOExecutionProvider", OpenVINOExecutionProvider=0.08)
    choice = choose()
    assert (choice.provider, choice.precision) == (CPU, "int8")
    assert "OpenVINO is slower" in choice.because
    assert choose("openvino").provider == "OpenVINOExecutionProvider"  # whoever asks has it


def test_what_is_asked_for_is_had_or_refused(there: Any) -> None:
    there("CUDAExecutionProvider", CUDAExecutionProvider=0.01)
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


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_is_tried_on_a_picture_and_one_that_is_not_there_does_not_start() -> None:
    took = models.seconds(choose("cpu"))
    assert took is not None
    assert took > 0
    assert models.seconds(Choice("TensorrtExecutionProvider", "fp32", "")) is None


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_both_precisions_read(precision: str) -> None:
    engine = make_engine(choose("cpu", precision), ("EU",))
    engine.warm_up()
    assert engine.versions["detector"].startswith(choose("cpu", precision).name("plate-detector"))


def test_engines_of_one_choice_share_their_models() -> None:
    one, other = make_engine(choose("cpu")), make_engine(choose("cpu"), ("BR",), strict=True)
    assert one.detector is other.detector
    assert one.recogniser is other.recogniser
