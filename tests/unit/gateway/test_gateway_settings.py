"""The broker's address and Frigate's cameras, read strictly."""

from pathlib import Path
from typing import Any

import pytest

from alpr_site import environment
from alpr_site.environment import SettingError
from gateway.bridge import Broker


def mqtt(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any] | None:
    monkeypatch.setenv("PLATEWARDEN_MQTT_URL", url)
    return environment.mqtt()


def test_no_address_is_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mqtt(monkeypatch, "") is None


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://127.0.0.1", Broker("127.0.0.1", 1883)),
        ("mqtts://broker.example", Broker("broker.example", 8883, tls=True)),
        (
            "mqtts://bri%40dge:s%2Fecret@broker.example:9999/?version=5&client_id=town&ca=/ca.pem",
            Broker(
                "broker.example",
                9999,
                tls=True,
                username="bri@dge",
                password="s/ecret",
                version=5,
                client_id="town",
                ca="/ca.pem",
            ),
        ),
    ],
)
def test_an_address_says_all(monkeypatch: pytest.MonkeyPatch, url: str, broker: Broker) -> None:
    found = mqtt(monkeypatch, url)
    assert found is not None
    assert Broker(**found) == broker


def test_the_password_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    found = mqtt(monkeypatch, f"mqtt://bridge@b?passfile={tmp_path / 'password'}")
    assert found is not None
    assert found["password"] == "secret"
    assert "secret" not in repr(Broker(**found))


@pytest.mark.parametrize(
    "url",
    [
        "http://broker",
        "mqtt://",
        "broker:1883",
        "mqtt://broker:99999",
        "mqtt://[broker",
        "mqtt://broker?version=4",
        "mqtt://broker?colour=red",
        "mqtt://broker?passfile=/nowhere/at/all",
    ],
)
def test_a_wrong_address_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(SettingError, match="PLATEWARDEN_MQTT_URL"):
        mqtt(monkeypatch, url)


def test_what_is_refused_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError) as refused:
        mqtt(monkeypatch, "mqtt://bridge:se/cret@broker")  # the slash should have been %2F
    assert "'se'" not in str(refused.value)
    assert "host or port" in str(refused.value)


def test_frigates_cameras_stand_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEWARDEN_FRIGATE_CAMERAS", "garage=depot/in, the=gate=depot/out,")
    assert environment.read("PLATEWARDEN_FRIGATE_CAMERAS") == {
        "garage": ("depot", "in"),
        "the=gate": ("depot", "out"),
    }


@pytest.mark.parametrize("value", ["garage", "garage=in", "=a/b", "g=/b", "g=a/", "g=a/b,g=a/c"])
def test_a_wrong_map_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PLATEWARDEN_FRIGATE_CAMERAS", value)
    with pytest.raises(SettingError, match="PLATEWARDEN_FRIGATE_CAMERAS"):
        environment.read("PLATEWARDEN_FRIGATE_CAMERAS")
