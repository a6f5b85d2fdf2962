"""The tests; a package, so that two folders can each have a `test_release_gate.py`."""
