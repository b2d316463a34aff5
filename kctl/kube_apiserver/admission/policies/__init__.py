"""Admission policies: what is common to validating and mutating ones (their plugins are beside this folder)."""
