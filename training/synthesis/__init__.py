"""Pictures of plates that never existed: drawn flat, then photographed."""
