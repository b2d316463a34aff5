"""The built-in ingress controller: serves what Ingresses say at an address of this machine, from the first Ingress on."""
