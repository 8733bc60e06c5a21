"""`python -m shortcut`."""

from shortcut.cli import main

if __name__ == "__main__":
    main()
