"""Node: a kubelet may read and write what has to do with its own node, and what the pods there use."""
