"""A small ray tracer and what it draws: places, vehicles, number plates, light and lens.

Metres throughout; the world's x points right, y away from the camera, z up. Colours are linear RGB
until `lens` turns them into picture bytes.
"""
