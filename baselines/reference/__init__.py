"""The oracle and the cheats: reference methods that are always on the board."""
