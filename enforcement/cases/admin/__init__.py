"""The admin's pages of cases and of how sites decide them."""

from enforcement.cases.admin import cases, policies

__all__ = ["cases", "policies"]
