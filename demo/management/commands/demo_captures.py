"""`manage demo_captures CAMERA SINCE`: what a camera has sent, one JSON object a line as it comes,
until standard input ends. For the demo, whose agent keeps to itself what it sent.
"""

import json
import select
import sys
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cameras.models import Capture

EVERY_S = 0.3


class Command(BaseCommand):
    """Follows a camera's captures. They hold no plate."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Which camera of the demo, and from when on."""
        parser.add_argument("camera")
        parser.add_argument("since", type=datetime.fromisoformat)

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a capture: `id`, `kind`, `captured_at`."""
        told: set[str] = set()
        ending = False
        while True:
            rows = Capture.objects.filter(
                camera__slug=options["camera"], received_at__gte=options["since"]
            ).order_by("captured_at")
            for pk, kind, at in rows.values_list("pk", "kind", "captured_at"):
                if str(pk) not in told:
                    told.add(str(pk))
                    line = {"id": str(pk), "kind": kind, "captured_at": at.isoformat()}
                    self.stdout.write(json.dumps(line))
            self.stdout.flush()
            if ending:
                return
            ending = bool(select.select([sys.stdin], [], [], EVERY_S)[0])
