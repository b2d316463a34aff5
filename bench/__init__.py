"""Figures of a whole cluster as its users meet it: `python -m bench` prints them and writes bench/results/latest.json."""
