"""Commands that run one component of a control plane in a process of its own."""
