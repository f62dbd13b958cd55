"""Django application `enforcement.cases`."""

from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "enforcement.cases"
    label = "cases"
    verbose_name = "Cases"
