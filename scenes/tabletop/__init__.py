"""The embedded world: a procedural distribution of textured solid objects in ten classes."""
