"""Decode a folder of pictures into a pack: python -m training.pack DIR OUT --size 256."""

import logging
from pathlib import Path

import click

from training.cli import mistakes_told
from training.data import pack


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--size", default=512, show_default=True, help="Shorter side in pixels.")
def main(folder: Path, out: Path, size: int) -> None:
    """Decode the pictures in FOLDER once, into the new folder OUT.

    OUT can be given to every recipe in place of the folder, also where the pictures are not.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with mistakes_told():
        made = pack(folder, out, size)
    click.echo(f"{len(made)} pictures, content {made.digest[:16]}")


if __name__ == "__main__":
    main()
