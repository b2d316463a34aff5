"""What the API reference promises, asked over HTTP; needs no recordings."""
