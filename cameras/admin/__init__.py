"""The admin of this room: sites and cameras, their keys, people, and what devices sent."""

from cameras.admin import captures, keys, people, sites

__all__ = ["captures", "keys", "people", "sites"]
