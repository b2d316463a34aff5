"""kubectl create: from manifests, and one generator for each kind."""
