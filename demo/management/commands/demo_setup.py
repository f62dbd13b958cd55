"""`manage demo_setup [--bench]`: make the demo operator; prints its keys and log-ins as JSON."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from demo.operator import demo_setup


class Command(BaseCommand):
    help = "Make the demo operator; prints fresh keys and passwords, shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--bench`."""
        parser.add_argument("--bench", action="store_true", help="with sites for bench pictures")

    def handle(self, *args: Any, **options: Any) -> None:
        """One JSON object on one line."""
        self.stdout.write(json.dumps(demo_setup(bench=options["bench"], now=timezone.now())))
