"""Django application `enforcement.notices`."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "enforcement.notices"
    label = "notices"
    verbose_name = "Notices"

    def ready(self) -> None:
        """Have a case's evidence pack hold the notice that went out for it."""
        from enforcement.cases.packs import DOCUMENT_SOURCES
        from enforcement.notices.selectors import documents_of

        DOCUMENT_SOURCES.append(documents_of)
