"""The selectors, one a file; each stands on base.py."""
