"""Django application `enforcement.retention`."""

from django.apps import AppConfig


class RetentionConfig(AppConfig):
    name = "enforcement.retention"
    label = "retention"
    verbose_name = "Retention"
