"""Pages, each behind `dashboard.gates.gate`; fragments that htmx puts into them."""
