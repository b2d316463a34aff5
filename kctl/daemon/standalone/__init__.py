"""Components as processes of their own, clients of an API server over HTTPS: any cluster's, on any machine."""
