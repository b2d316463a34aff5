"""kubectl apply: three-way merge in the client, or server-side."""
