"""Django application `plates`."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils import timezone


def _make_partitions(using: str, **kwargs: Any) -> None:
    if using == "default":
        from plates.partitions import partitions_ensure

        partitions_ensure(now=timezone.now())


class PlatesConfig(AppConfig):
    name = "plates"
    label = "plates"
    verbose_name = "Reads and passages"

    def ready(self) -> None:
        """After every migration the months ahead have their partitions."""
        post_migrate.connect(_make_partitions, sender=self)
