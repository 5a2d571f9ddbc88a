"""ivid: 3D scenes as sequences of RGBD views drawn by 2D diffusion (arXiv 2303.17905)."""
