"""Diffusion with forward models: completion of what was never observed."""
