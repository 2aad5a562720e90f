"""Decode a folder of pictures into a pack: python -m training.pack DIR OUT --size 256."""

import logging
import sys
from pathlib import Path

import click

from training.data import pack
from zoo.errors import ZooError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--size", default=512, show_default=True, help="Shorter side in pixels.")
def main(folder: Path, out: Path, size: int) -> None:
    """Decode the pictures in FOLDER once, into the new folder OUT.

    OUT can be given to every recipe in place of the folder, also where the pictures are not.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        made = pack(folder, out, size)
    except ZooError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    click.echo(f"{len(made)} pictures, content {made.digest[:16]}")


if __name__ == "__main__":
    main()
