"""`manage forget [--dry-run]`: erase what is due, or show what would go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from enforcement.retention.services import forget


class Command(BaseCommand):
    help = "Erase whatever has had its time (the workers do this every few seconds)."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--dry-run`."""
        parser.add_argument("--dry-run", action="store_true", help="only show what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per site and data class."""
        lines = forget(now=timezone.now(), dry_run=options["dry_run"])
        for line in lines:
            what = ", ".join(f"{number} {name}" for name, number in line.counts.items() if number)
            self.stdout.write(f"{line.site.name}: {line.data_class}: {what}")
        if not lines:
            self.stdout.write("nothing is due")
