"""Sends the key store's tables to their own database, and nothing else there."""

from typing import Any

from django.db import models

from vault.keys import STORE

_KEY_MODELS = {"datakey", "keycheck"}


class KeyStoreRouter:
    """`DataKey` and `KeyCheck` live in `keys`; everything else in `default`."""

    def _is_key_model(self, app_label: str, model_name: str | None) -> bool:
        return app_label == "vault" and model_name in _KEY_MODELS

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        """Where to read `model`."""
        meta = model._meta
        return STORE if self._is_key_model(meta.app_label, meta.model_name) else None

    db_for_write = db_for_read

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        """Key tables only in `keys`, the rest only in `default`."""
        return (db == STORE) == self._is_key_model(app_label, model_name)
