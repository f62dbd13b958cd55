"""The rule against plates in free text, under the name this half of the product knows it by."""

from audit.freetext import clean, mentions, printable

__all__ = ["clean", "mentions", "printable"]
