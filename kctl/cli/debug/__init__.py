"""kctl debug: a container beside those that trouble somebody, a copy of their pod, or a pod on a node."""
