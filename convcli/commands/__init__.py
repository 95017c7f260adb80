"""A module per subcommand: parse, call, render. What a command does not need is imported inside its function."""
