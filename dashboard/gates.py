"""The one gate every page stands behind: logged in, and a role somewhere that includes it.

What the page may then show is limited by `request.sites`: the sites where the person has such a
role. An object of any other site is not found (style.md: a denied object is a 404).
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django_htmx.middleware import HtmxDetails

from cameras.access import sites_of
from cameras.models import Site
from core.errors import ProductError
from core.models import User

P = ParamSpec("P")


class OperatorRequest(HttpRequest):
    """What a request is once it came through the gate."""

    user: User
    sites: "QuerySet[Site]"
    htmx: HtmxDetails


_NOT_THIS = "Your role at your sites does not include this page."
_NO_ROLE = "You have no role at any site yet. An administrator gives you one."

View = Callable[Concatenate[OperatorRequest, P], HttpResponseBase]
Gated = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def gate(*roles: str) -> Callable[[View[P]], Gated[P]]:
    """Let in who is logged in and has one of `roles` at some site (any role: none named)."""

    def decorate(view: View[P]) -> Gated[P]:
        def wrapper(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            response = _answer(view, roles, request, *args, **kwargs)
            # a plate or a picture must not lie in a browser's cache, nor in a proxy's
            patch_cache_control(response, no_store=True, private=True)
            return response

        return update_wrapper(wrapper, view)

    return decorate


def _answer(
    view: View[P], roles: tuple[str, ...], request: HttpRequest, *args: P.args, **kwargs: P.kwargs
) -> HttpResponseBase:
    operator = cast(OperatorRequest, request)
    if not request.user.is_authenticated:
        return _to_login(operator)
    operator.sites = sites_of(request.user, *roles)
    if not request.user.is_superuser and not operator.sites.exists():
        return refusal(request, 403, _NOT_THIS if roles else _NO_ROLE)
    try:
        return view(operator, *args, **kwargs)
    except ProductError as error:
        return refusal(request, error.status, error.sentence)


def _to_login(request: OperatorRequest) -> HttpResponseBase:
    if not request.htmx:
        return redirect_to_login(request.get_full_path())
    response = HttpResponse(status=204)  # a fragment can't log in: have the whole page go there
    response["HX-Redirect"] = reverse("account_login")
    return response


def refusal(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    """An error page, or for a fragment its sentence alone."""
    operator = cast(OperatorRequest, request)
    if operator.htmx:
        return render(request, "dashboard/notice.html", {"sentence": sentence}, status=status)
    template = {403: "403.html", 404: "404.html"}.get(status, "refused.html")
    return render(request, template, {"sentence": sentence, "status": status}, status=status)
