"""For machines: is it alive, and its figures."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django_prometheus.exports import ExportToDjangoView

_LOOPBACK = ("127.0.0.1", "::1")


def healthz(request: HttpRequest) -> HttpResponse:
    """200 `ok` while the database answers, 503 otherwise. No log-in: it says nothing else."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("database unreachable\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus figures, for superusers and for a scraper on this machine; else 404."""
    # what a proxy on this machine forwards comes from loopback too, but says so
    local = (
        request.META.get("REMOTE_ADDR") in _LOOPBACK
        and "HTTP_X_FORWARDED_FOR" not in request.META
        and "HTTP_FORWARDED" not in request.META
    )
    if not local and not (request.user.is_authenticated and request.user.is_superuser):
        return HttpResponse("There is nothing here.\n", status=404, content_type="text/plain")
    answer: HttpResponse = ExportToDjangoView(request)
    return answer
