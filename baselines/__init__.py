"""The generators: oracle and cheats, the diffusion pipeline; their training; shipped weights."""
