"""Networks on paper: sizes solved for, chains of layers, what is lost and what overlaps. Standard library only."""
