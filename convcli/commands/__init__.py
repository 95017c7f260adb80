"""A module for each command: take the options, call, show the result. What only some calls need is imported in functions."""
