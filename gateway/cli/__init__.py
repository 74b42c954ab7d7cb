"""The commands. `main` is the entry point `callgate`; each family of commands is one file.

Everything heavy is imported inside the command that needs it, so that `--help` and `worker` start quickly.
"""


def main() -> None:
    """Run the command line."""
    from gateway.cli.root import app

    app(prog_name="callgate")
