"""Filters, which look at columns and no model: association, redundancy, mRMR."""
