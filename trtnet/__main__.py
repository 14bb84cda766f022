"""``python -m trtnet``: the command line."""

from trtnet.cli import main

if __name__ == "__main__":
    main()
