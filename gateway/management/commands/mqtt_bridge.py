"""`./run manage mqtt_bridge`: captures from an MQTT broker into the product, until told to stop."""

import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from gateway.bridge import Bridge, Broker
from gateway.messages import Taken, message_take, topics
from vault.checks import refuse_wrong_keys
from vault.keyring import KeyringError

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Subscribes, stores, acknowledges; see `gateway.bridge`."""

    help = "Take captures from the MQTT broker of PLATEWARDEN_MQTT_URL (and Frigate's reads)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What may follow the command."""
        parser.add_argument(
            "--alive", type=Path, metavar="FILE", help="touched while the subscriptions stand"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs until SIGTERM or SIGINT. CommandError without a broker or with a wrong key."""
        if settings.MQTT_BROKER is None:
            raise CommandError("PLATEWARDEN_MQTT_URL is not set: there is no broker to listen to.")
        try:
            refuse_wrong_keys()
        except KeyringError as error:
            raise CommandError(f"refusing to start: {error}") from error
        except DatabaseError as error:
            why = f"no database to check the keys with: {type(error).__name__}"
            raise CommandError(why) from error
        broker = Broker(**settings.MQTT_BROKER)
        if not broker.tls and broker.host not in ("localhost", "127.0.0.1", "::1"):
            log.warning("bridge_without_tls")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Bridge(broker, topics(), _take, alive=options["alive"]).run(stop)


def _take(topic: str, payload: bytes) -> Taken:
    return message_take(topic=topic, payload=payload, now=timezone.now())
