"""The machine: files and streams, threads, memory, and what a run keeps (`context`). Standard library and NumPy only."""
