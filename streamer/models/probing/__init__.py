"""What looking at pictures is made of: the ways that are tried, what each shows, and what that is evidence for."""
