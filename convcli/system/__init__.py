"""The machine: files and streams, threads, memory. Standard library and NumPy only."""
