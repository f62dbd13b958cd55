"""The admin of this room: rules, schemes and tariffs, providers and their keys, rights."""

from enforcement.rights.admin import providers, rights, rules, schemes, tariffs

__all__ = ["providers", "rights", "rules", "schemes", "tariffs"]
