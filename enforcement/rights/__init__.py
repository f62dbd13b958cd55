"""Rights and schemes, the matcher, and the verdict."""
