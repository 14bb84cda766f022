"""``python -m trtnet`` and the `trtnet` command."""

import sys


def main() -> None:
    """The command line; Ctrl-C ends it with exit code 130 and one word, also while it is still being imported."""
    try:
        from trtnet.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
