"""`gateway …`, the same as `python -m gateway …`."""

from gateway.cli import group


def main() -> None:
    """Run the command line."""
    group(prog_name="gateway")


if __name__ == "__main__":
    main()
