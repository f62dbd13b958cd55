"""What a worker keeps from one task to the next."""

from types import SimpleNamespace

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from alpr_site.celery import _keep_what_lives, app

TASK = SimpleNamespace(request=SimpleNamespace(is_eager=False))


@pytest.mark.django_db(transaction=True)
def test_a_database_connection_is_kept_until_it_is_too_old() -> None:
    connection.ensure_connection()
    kept = connection.connection
    DjangoWorkerFixup(app).on_task_prerun(TASK)
    _keep_what_lives(task=TASK)
    assert connection.connection is kept
    connection.close_at = 0.0
    _keep_what_lives(task=TASK)
    assert connection.connection is None
