"""`kctl describe`: one file for each kind, in the words and columns of kubectl."""
