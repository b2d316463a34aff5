"""YAML shipped with kctl: what a new cluster contains, life cycles of simulated pods, examples."""
