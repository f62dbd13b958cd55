"""`manage verify_audit`: walk the audit chain; exit 1 and say where when it doesn't hold."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.services import verify


class Command(BaseCommand):
    help = "Verify the hash chain of the audit log."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the number of rows, or fail naming the first row that doesn't fit."""
        report = verify()
        if report.broken_at is not None:
            raise CommandError(f"the chain breaks at row {report.broken_at}: {report.why}")
        self.stdout.write(f"{report.rows} rows, the chain holds")
