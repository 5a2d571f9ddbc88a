"""3D-aware GANs: pi-GAN, EG3D, EpiGRAF; one renderer, one training loop, one `Generator`."""
