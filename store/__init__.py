"""etcd: keys, bytes, revisions and watches. Knows no Kubernetes kind."""
