"""Django application `demo`: the demo operator (`manage demo_setup`) and what plays it."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "demo"
    label = "demo"
