"""Addresses of devices and of the API's page, each with and without a slash at its end."""

from django.urls import re_path

from cameras.api import CapturesView, CaptureView, DocsView, IndexView, SchemaView
from cameras.api_devices import CapturePictureView, EnrolView, HeartbeatsView

urlpatterns = [
    re_path(r"^$", IndexView.as_view(), name="api-index"),
    re_path(r"^schema/?$", SchemaView.as_view(), name="schema"),
    re_path(r"^docs/?$", DocsView.as_view(), name="api-docs"),
    re_path(r"^captures/?$", CapturesView.as_view(), name="captures"),
    re_path(r"^captures/(?P<capture_id>[^/]+)/?$", CaptureView.as_view(), name="capture"),
    re_path(
        r"^captures/(?P<capture_id>[^/]+)/picture/?$",
        CapturePictureView.as_view(),
        name="capture-picture",
    ),
    re_path(r"^enrol/?$", EnrolView.as_view(), name="enrol"),
    re_path(r"^heartbeats/?$", HeartbeatsView.as_view(), name="heartbeats"),
]
