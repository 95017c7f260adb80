"""Networks on paper: parameters for a wanted size, chains of layers, lost and overlapping pixels. Standard library only."""
