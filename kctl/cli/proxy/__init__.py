"""kctl proxy: the API server's API on a local port or socket, with the user's credentials put to each request."""
