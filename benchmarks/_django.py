"""`python -m benchmarks._django NAME …`: a benchmark that works on the product's own tables."""

from __future__ import annotations

import importlib
import os
import sys

import django


def main() -> int:
    """Set Django up, then the benchmark's own `main`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alpr_site.settings")
    django.setup()
    return int(importlib.import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:]))


if __name__ == "__main__":
    raise SystemExit(main())
