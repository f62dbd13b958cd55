"""Addresses of devices that watch, with and without a slash at the end."""

from django.urls import re_path

from enforcement.watchlist.api import HotlistView

urlpatterns = [re_path(r"^hotlist/?$", HotlistView.as_view(), name="hotlist")]
