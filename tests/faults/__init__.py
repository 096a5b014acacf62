"""Faults on four real validators under two hospital nodes: `python -m tests.faults [--short]`."""
