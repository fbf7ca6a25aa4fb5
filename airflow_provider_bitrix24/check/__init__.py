"""The command that shows what a connection can do."""
