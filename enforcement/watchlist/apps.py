"""Django application `enforcement.watchlist`."""

from django.apps import AppConfig


class WatchlistConfig(AppConfig):
    name = "enforcement.watchlist"
    label = "watchlist"
    verbose_name = "Watchlists"
