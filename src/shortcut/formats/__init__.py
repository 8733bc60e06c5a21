"""A classifier in other people's formats, and theirs in ours."""
