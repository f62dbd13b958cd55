"""`manage demo_setup [--bench] [--agent]`: make the demo operator; print keys and log-ins."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from demo.operator import demo_setup


class Command(BaseCommand):
    help = "Make the demo operator; prints fresh keys and passwords, shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--bench`, `--agent`."""
        parser.add_argument("--bench", action="store_true", help="with sites for bench pictures")
        parser.add_argument("--agent", action="store_true", help="with a site for an edge agent")

    def handle(self, *args: Any, **options: Any) -> None:
        """One JSON object on one line."""
        made = demo_setup(bench=options["bench"], agent=options["agent"], now=timezone.now())
        self.stdout.write(json.dumps(made))
