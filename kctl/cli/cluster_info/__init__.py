"""kctl cluster-info, and its dump."""
