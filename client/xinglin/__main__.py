"""`python -m xinglin`: the same as the command `xinglin`."""

from xinglin._cli import main

if __name__ == "__main__":
    main()
