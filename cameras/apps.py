"""Django application `cameras`."""

from django.apps import AppConfig


class CamerasConfig(AppConfig):
    name = "cameras"
    label = "cameras"
    verbose_name = "Sites and cameras"
