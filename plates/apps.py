"""Django application `plates`."""

from django.apps import AppConfig


class PlatesConfig(AppConfig):
    name = "plates"
    label = "plates"
    verbose_name = "Reads and passages"
