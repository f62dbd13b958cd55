"""The Celery application. Tasks live in the apps; each is named after its stage."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alpr_site.settings")

app = Celery("platewarden")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Left alone, Celery's Django fixup makes a new connection for every task: a new server process that
# knows no table yet, and a password to check. It never closes one now; `_keep_what_lives` does.
app.conf.update(CELERY_DB_REUSE_MAX=2**62)
app.autodiscover_tasks(
    [
        "cameras",
        "plates",
        "enforcement.rights",
        "enforcement.watchlist",
        "enforcement.visits",
        "enforcement.cases",
        "enforcement.notices",
        "enforcement.retention",
    ]
)


@setup_logging.connect
def _keep_our_logging(**kwargs: Any) -> None:
    """Having a receiver stops Celery from configuring logging itself."""


@task_prerun.connect
def _keep_what_lives(task: Any, **kwargs: Any) -> None:
    """As Django does before a request: close connections that are too old or saw an error."""
    from django.db import close_old_connections

    if not task.request.is_eager:
        close_old_connections()


@worker_init.connect
def _refuse_wrong_keys(**kwargs: Any) -> None:
    from django.db import DatabaseError

    from vault.checks import refuse_wrong_keys
    from vault.keyring import KeyringError

    # a signal swallows exceptions: without a database, or with a wrong key, the worker must stop
    # (the supervisor starts it again) instead of working unchecked
    try:
        refuse_wrong_keys()
    except DatabaseError as error:
        raise SystemExit(f"no database to check the keys with: {type(error).__name__}") from error
    except KeyringError as error:
        raise SystemExit(f"refusing to start: {error}") from error
