"""What every app stands on: the flow's stages, ids, errors, base models, canonical plate text."""
