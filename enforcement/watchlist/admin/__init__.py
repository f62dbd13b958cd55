"""The admin of this room: lists, their entries, and hotlists by file."""

from enforcement.watchlist.admin import entries, lists

__all__ = ["entries", "lists"]
