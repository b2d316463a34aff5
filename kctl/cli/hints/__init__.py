"""What a user may have meant, said behind an error: on terminals only, so that what scripts and tests read stays kubectl's byte for byte."""
