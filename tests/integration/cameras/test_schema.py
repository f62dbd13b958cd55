"""The OpenAPI schema is valid and says what the parsing does; its page keeps the content policy."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft202012Validator

from cameras import bodies, codes, heartbeats, intake, reads, values
from tests.integration.cameras.conftest import ago


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command(
        "spectacular", urlconf="cameras.api_urls", validate=True, fail_on_warn=True, file=str(file)
    )
    found = yaml.safe_load(file.read_text())
    assert isinstance(found, dict)
    return found


def operation(schema: dict[str, Any], name: str) -> dict[str, Any]:
    for methods in schema["paths"].values():
        for one in methods.values():
            if one["operationId"] == name:
                assert isinstance(one, dict)
                return one
    raise AssertionError(name)


def test_it_names_every_operation_and_how_to_log_in(schema: dict[str, Any]) -> None:
    for name in (
        "captures_create",
        "captures_retrieve",
        "captures_picture_update",
        "heartbeats_create",
    ):
        assert {"deviceKey": []} in operation(schema, name)["security"]
    assert operation(schema, "enrol_create")["security"] == [{}]  # none: it has no key yet
    assert schema["components"]["securitySchemes"]["deviceKey"]["scheme"] == "bearer"


def test_it_lists_every_code(schema: dict[str, Any]) -> None:
    for name, listed in (
        ("captures_create", codes.CAPTURE_CODES),
        ("heartbeats_create", codes.HEARTBEAT_CODES),
        ("captures_picture_update", codes.PICTURE_CODES),
        ("enrol_create", codes.ENROL_CODES),
    ):
        responses = operation(schema, name)["responses"]
        assert set(responses) - {"200", "201", "202"} == {str(status) for status in listed}
        for status, names in listed.items():
            described = re.findall(r"`(\w+)`", responses[str(status)]["description"])
            assert described == list(names)


def test_every_code_the_sources_raise_is_listed() -> None:
    listed = {name for names in codes.CAPTURE_CODES.values() for name in names}
    for module in (bodies, intake, reads):
        source = Path(module.__file__ or "").read_text()
        raised = set(re.findall(r'(?:BadInput|TooLarge|Unsupported|Conflict)\(\s*"(\w+)"', source))
        assert raised
        assert raised <= listed


def test_requests_have_exactly_the_fields_that_are_parsed(schema: dict[str, Any]) -> None:
    content = operation(schema, "captures_create")["requestBody"]["content"]
    single, batch = content["application/json"]["schema"]["oneOf"]
    assert set(single["properties"]) == intake._FIELDS
    assert batch["properties"]["items"]["items"] == single
    assert batch["properties"]["items"]["maxItems"] == bodies.MOST_ITEMS
    assert set(single["properties"]["read"]["properties"]) == reads._FIELDS
    assert set(content["multipart/form-data"]["schema"]["oneOf"][0]["properties"]) == intake._FIELDS


def test_a_heartbeat_has_exactly_the_fields_that_are_parsed(schema: dict[str, Any]) -> None:
    content = operation(schema, "heartbeats_create")["requestBody"]["content"]
    said = content["application/json"]["schema"]["properties"]
    assert set(said) == heartbeats.FIELDS
    assert set(said["detail"]["properties"]) == values.DETAIL
    assert set(said["settings_refused"]["properties"]) == heartbeats.REFUSED


def test_the_schema_agrees_with_the_parsing(schema: dict[str, Any]) -> None:
    content = operation(schema, "captures_create")["requestBody"]["content"]
    checker = Draft202012Validator(content["application/json"]["schema"])
    read = {"text": "1AB2345", "score": 1, "quad": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    good = {"kind": "read", "captured_at": ago(), "read": read, "exposure": {"mode": "night"}}
    assert checker.is_valid(good)
    assert checker.is_valid({"items": [good, good]})
    for bad in (
        {**good, "lattitude": 1},
        {**good, "latitude": 91},
        {**good, "exposure": {"mode": "1AB2345"}},
        {**good, "read": {**read, "quad": [0, 1, 2, 3]}},
        {"items": []},
    ):
        assert not checker.is_valid(bad)


@pytest.fixture
def sidecar(settings: Any) -> None:
    """Static addresses without a built manifest."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_page_runs_under_the_strict_policy(client: Client, sidecar: None, slash: str) -> None:
    answer = client.get(f"/api/v1/docs{slash}")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "<style" not in page
    assert not re.findall(r"\s(?:on\w+|style)=", page)
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 3
    for attributes, inline in scripts:
        assert "src=" in attributes
        assert not inline.strip()
    sources = re.findall(r'(?:src|href)="([^"#][^"]*)"', page)
    assert all(source.startswith("/") and not source.startswith("//") for source in sources)
    assert 'data-schema="/api/v1/schema"' in page
    assert "unsafe" not in answer["Content-Security-Policy"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_schema_is_open(client: Client, slash: str) -> None:
    answer = client.get(f"/api/v1/schema{slash}")
    assert answer.status_code == 200
    assert "captures_create" in answer.content.decode()


def test_the_index_leads_to_the_page(client: Client) -> None:
    answer = client.get("/api/v1/")
    assert (answer.status_code, answer["Location"]) == (302, "/api/v1/docs")
