"""Django application `enforcement.visits`."""

from django.apps import AppConfig


class VisitsConfig(AppConfig):
    name = "enforcement.visits"
    label = "visits"
    verbose_name = "Visits and verdicts"
