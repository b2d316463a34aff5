"""Commands on nodes: cordon, uncordon, drain, taint."""
