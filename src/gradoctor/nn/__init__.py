"""What PyTorch lacks for healthy training: modules, gains, and initialisation by activation."""
