"""The pages' addresses. They carry row ids, never a plate."""

from django.urls import path

from dashboard.views import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
]
