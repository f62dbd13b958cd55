"""Django application `enforcement.rights`."""

from django.apps import AppConfig


class RightsConfig(AppConfig):
    name = "enforcement.rights"
    label = "rights"
    verbose_name = "Rights"
