"""Addresses of other makers' clients; every one answers with and without a slash."""

from django.urls import URLPattern, re_path

from gateway.apds import AssignedRightsView, SessionsView

_ID = r"(?P<right_id>[^/]{1,200})"


def _apds(prefix: str) -> list[URLPattern]:
    return [
        re_path(rf"^{prefix}sessions/?$", SessionsView.as_view()),
        re_path(rf"^{prefix}sessions/{_ID}/?$", SessionsView.as_view()),
        re_path(rf"^{prefix}rights/assigned/?$", AssignedRightsView.as_view()),
        re_path(rf"^{prefix}rights/assigned/{_ID}/?$", AssignedRightsView.as_view()),
    ]


urlpatterns = [
    *_apds(""),
    *_apds("v1/parking/"),  # as the National Parking Platform has them
]
