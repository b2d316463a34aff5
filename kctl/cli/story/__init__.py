"""kctl story: how an object came to be."""
