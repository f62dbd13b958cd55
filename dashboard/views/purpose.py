"""Setting and ending the purpose of a shift."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from cameras.access import OPERATE
from core.errors import BadInput
from dashboard import purposes
from dashboard.gates import OperatorRequest, gate


def back(request: OperatorRequest, otherwise: str = "/") -> HttpResponseRedirect:
    """To the page the form stood on."""
    address = request.POST.get("next", "")
    local = url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()})
    return HttpResponseRedirect(address if local and address else otherwise)


@require_POST
@gate(*OPERATE)
def purpose(request: OperatorRequest) -> HttpResponse:
    """Begin (`purpose`, `case_ref`) or end (`end`) what plates open for by themselves."""
    if "end" in request.POST:
        purposes.shift_end(request)
        messages.info(request, "Plates are masked again.")
        return back(request)
    try:
        purposes.shift_begin(
            request,
            code=request.POST.get("purpose", ""),
            case_ref=request.POST.get("case_ref", ""),
            now=timezone.now(),
        )
    except BadInput as error:
        messages.error(request, error.sentence)
    return back(request)
