"""The page of an import: progress while it works, then a report that never quotes a plate.

The answer is streamed: its head, a line each time a batch is through (a style sheet shows only the
last), the report. So a file of a million rows shows how far it is, without a job to keep.
"""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import structlog
from django.db.models import Model
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from audit.adminsite import AnyAdmin
from cameras.adminsite import form_page, page, refuse
from core.errors import ProductError
from enforcement.rights.admin.forms import UploadForm
from enforcement.rights.tables import MOST_REPORTED, Progress

log = structlog.get_logger(__name__)

_MARK = "<!-- progress -->"
_FLUSH = " " * 1024
"""Some browsers wait for a first kilobyte."""

Start = Callable[[dict[str, Any], BinaryIO], Iterator[Progress]]


def import_page(
    request: HttpRequest,
    admin: AnyAdmin,
    form: UploadForm,
    *,
    title: str,
    layouts: list[tuple[str, tuple[str, ...], tuple[str, ...]]],
    start: Start,
    row: Model | None = None,
) -> HttpResponseBase:
    """The form of an import, or its report as it comes. `layouts` are name, columns a file must
    have, and columns it may have; `start` begins the import of what the form says."""
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]
        lines = sum(chunk.count(b"\n") for chunk in upload.chunks())
        upload.seek(0)
        steps = start(form.cleaned_data, upload.file)
        try:
            first = next(steps)  # what is wrong with the file as a whole shows here
        except ProductError as error:
            refuse(form, error if error.field in form.fields else _of_file(error))
        else:
            frame = page(request, admin, "import_result", title=title, row=row).render()
            head, tail = frame.content.decode().split(_MARK)
            body = _stream(first, steps, lines, head, tail)
            return StreamingHttpResponse(body, headers={"X-Accel-Buffering": "no"})
    return form_page(
        request,
        admin,
        form,
        title=title,
        submit="Import",
        row=row,
        layouts=layouts,
        multipart=True,
    )


def _of_file(error: ProductError) -> ProductError:
    return ProductError(error.code, error.sentence, field="file")


def _stream(
    first: Progress, steps: Iterator[Progress], lines: int, head: str, tail: str
) -> Iterator[str]:
    progress, broken = first, False
    yield head + _FLUSH
    yield _step(progress, lines)
    try:
        for progress in steps:
            yield _step(progress, lines)
    except Exception as error:  # the head is out: the page itself has to say what happened
        log.error("import_broken", error=type(error).__name__, rows=progress.rows)
        broken = True
    yield render_to_string(
        "admin/platewarden/import_report.html",
        {"progress": progress, "broken": broken, "most": MOST_REPORTED},
    )
    yield tail


def _step(progress: Progress, lines: int) -> str:
    return render_to_string(
        "admin/platewarden/import_step.html",
        {"progress": progress, "lines": max(lines, progress.rows)},
    )
