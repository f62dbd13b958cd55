"""The Django project: settings, urls, server entry points, Celery. Nothing imports it."""

from alpr_site.celery import app as celery_app

__all__ = ["celery_app"]
