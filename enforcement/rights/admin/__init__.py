"""The admin of this room: rules and schemes, providers and their keys, rights and their import."""

from enforcement.rights.admin import providers, rights, rules, schemes

__all__ = ["providers", "rights", "rules", "schemes"]
