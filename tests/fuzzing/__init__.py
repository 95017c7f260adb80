"""Fuzzing: whatever bytes come, one line or a result, never a traceback, a hang or a file left behind.

`targets` has what is fuzzed, each a function of bytes; ``tests/test_fuzz.py`` gives each a short run in CI;
``python -m tests.fuzzing TARGET SECONDS`` runs one guided by coverage (needs atheris), ``make fuzz`` all of them.
"""
