"""`manage rewrap_keys`: wrap all data keys anew under the master key now on top."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from vault import keyring
from vault.keys import STORE, unwrap, wrap
from vault.models import DataKey


class Command(BaseCommand):
    help = "Wrap every data key under the active master key; the old line may go afterwards."

    def handle(self, *args: Any, **options: Any) -> None:
        """Each key in a transaction of its own: a run that is cut short is simply run again."""
        old = DataKey.objects.using(STORE).filter(destroyed_at__isnull=True)
        old = old.exclude(master_key=keyring.master().active)
        done = 0
        for key_id in list(old.values_list("pk", flat=True)):
            with transaction.atomic(using=STORE):
                key = DataKey.objects.using(STORE).select_for_update().get(pk=key_id)
                if key.wrapped is not None:
                    wrap(key, unwrap(key))
                    key.save(using=STORE, update_fields=["wrapped", "master_key"])
                    done += 1
        self.stdout.write(f"{done} data keys are now under k{keyring.master().active}")
