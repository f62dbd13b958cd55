"""Addresses of the rights API."""

from django.urls import re_path

from enforcement.rights.api import RightsView, RightView
from enforcement.rights.api_events import EventsView

urlpatterns = [
    re_path(r"^rights/?$", RightsView.as_view(), name="api_rights"),
    re_path(
        r"^rights/(?P<right_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$",
        RightView.as_view(),
        name="api_right",
    ),
    re_path(
        r"^providers/(?P<slug>[-a-zA-Z0-9_]{1,50})/events/?$",
        EventsView.as_view(),
        name="api_provider_events",
    ),
]
