"""The admin of this room: policies, holds, and what was or would be erased."""

from enforcement.retention.admin import erasure, holds, policies

__all__ = ["erasure", "holds", "policies"]
