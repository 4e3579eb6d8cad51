"""The law of motion: equation (2)'s right-hand side (`motion`), and terms added to it, a file each."""
