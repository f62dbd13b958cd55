"""Django application `enforcement.notices`."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "enforcement.notices"
    label = "notices"
    verbose_name = "Notices"
