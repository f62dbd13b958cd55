"""The operators' screens and the live feed. No models: it shows what the other rooms hold."""
