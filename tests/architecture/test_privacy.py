"""Every field of every model of ours has a privacy class (docs/privacy-classes.toml)."""

import tomllib
from pathlib import Path

from django.apps import apps
from django.db import models

from vault.models import SealedTextField, TokenField

PAGE = Path(__file__).resolve().parents[2] / "docs" / "privacy-classes.toml"
OURS = {
    "core",
    "vault",
    "audit",
    "cameras",
    "plates",
    "rights",
    "watchlist",
    "visits",
    "cases",
    "notices",
    "retention",
}
CLASSES = {"sealed", "token", "secret", "person", "operational", "trace"}


def declared() -> dict[str, dict[str, str]]:
    return tomllib.loads(PAGE.read_text(encoding="utf-8"))["models"]


def real() -> dict[str, dict[str, models.Field]]:  # type: ignore[type-arg]
    return {
        model._meta.label_lower.replace(".", "-"): {
            field.name: field for field in model._meta.local_fields
        }
        for label in OURS
        for model in apps.get_app_config(label).get_models()
    }


def test_every_field_has_a_class_and_every_class_a_field() -> None:
    assert {m: set(f) for m, f in declared().items()} == {m: set(f) for m, f in real().items()}
    assert {c for fields in declared().values() for c in fields.values()} <= CLASSES


def test_sealed_and_token_mean_what_they_say() -> None:
    wrong = []
    for model, fields in real().items():
        for name, field in fields.items():
            said = declared()[model][name]
            if (said == "sealed") != isinstance(field, SealedTextField) and said == "sealed":
                wrong.append(f"{model}.{name} says sealed and is not")
            if isinstance(field, SealedTextField) and said != "sealed":
                wrong.append(f"{model}.{name} is sealed and says {said}")
            if isinstance(field, TokenField) and said != "token":
                wrong.append(f"{model}.{name} is a token and says {said}")
    assert wrong == []


def test_no_clear_column_is_named_like_a_plate() -> None:
    suspicious = {"plate", "plates", "licence", "license", "registration", "vrm", "number_plate"}
    wrong = [
        f"{model}.{name}"
        for model, fields in real().items()
        for name, field in fields.items()
        if name in suspicious and not isinstance(field, SealedTextField)
    ]
    assert wrong == []
