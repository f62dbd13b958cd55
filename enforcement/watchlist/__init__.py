"""Watchlists, their sealed entries, and the alerts of strict and possible hits."""
