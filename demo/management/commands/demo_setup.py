"""`manage demo_setup [--bench] [--agents N]`: make the demo operator; print keys and log-ins."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from demo.operator import demo_setup


class Command(BaseCommand):
    help = "Make the demo operator; prints fresh keys and passwords, shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--bench`, `--agents`."""
        parser.add_argument("--bench", action="store_true", help="with sites for bench pictures")
        parser.add_argument("--agents", type=int, default=0, help="with sites for edge agents")

    def handle(self, *args: Any, **options: Any) -> None:
        """One JSON object on one line."""
        made = demo_setup(bench=options["bench"], agents=options["agents"], now=timezone.now())
        self.stdout.write(json.dumps(made))
