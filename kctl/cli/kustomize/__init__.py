"""kctl kustomize and -k: kustomizations built in this process."""
