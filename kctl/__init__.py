"""A whole Kubernetes control plane: what the user types, the API server, the shared library and the daemon."""
