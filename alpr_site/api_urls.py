"""The REST API. Each app brings its own addresses; every one answers with and without a slash."""

from django.urls import include, path

from cameras.api import IndexView

urlpatterns = [
    path("", IndexView.as_view(), name="api-root"),
    path("v1/", include("cameras.api_urls")),
    path("v1/", include("plates.api_urls")),
    path("v1/", include("enforcement.rights.api_urls")),
    path("v1/", include("enforcement.watchlist.api_urls")),
]
