"""Random objects of every kind and what validation said of them when they were recorded."""
