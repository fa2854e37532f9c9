"""Compiled loops, imported only where they are called: importing numba takes a moment."""
