"""Addresses of the reads API."""

from django.urls import re_path

from plates.api import ReadsView

urlpatterns = [re_path(r"^reads/?$", ReadsView.as_view(), name="api_reads")]
