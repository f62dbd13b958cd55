"""`manage load_schemes`: the vignette schemes that ship, into the table."""

from typing import Any

from django.core.management.base import BaseCommand

from enforcement.rights.services import schemes_load


class Command(BaseCommand):
    """Idempotent: stored versions are left alone."""

    help = "Load the vignette schemes that ship (CZ, SK, AT, HU); stored ones are left alone."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how many were new."""
        self.stdout.write(f"{schemes_load()} new scheme versions")
