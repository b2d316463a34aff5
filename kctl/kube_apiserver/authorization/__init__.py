"""May they? The authorizers (Node, RBAC, ...), and their union in the order of --authorization-mode."""
