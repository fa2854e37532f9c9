"""Columns that stand for the others: second moments, components, and orders of columns by them."""
