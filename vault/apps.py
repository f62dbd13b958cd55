"""Django application `vault`."""

from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "vault"
    label = "vault"
    verbose_name = "Vault"

    def ready(self) -> None:
        """Register the checks that refuse a missing or wrong key."""
        from vault import checks  # noqa: F401
