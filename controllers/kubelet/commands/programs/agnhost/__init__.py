"""agnhost, the image that Kubernetes tests with: one program with many subcommands, one function for each here."""
