"""``python -m zoo``: every command of the zoo, each loaded only when it is asked for."""

import importlib
import logging
import sys

import click

from zoo import allocator
from zoo.errors import ZooError

# Command -> where it lives and its line in the overview. Looking a command up imports its module,
# and some bring torch along, so the overview must not.
COMMANDS = {
    "list": ("zoo.cli:list_checkpoints", "List the checkpoints, here or on a hub."),
    "info": ("zoo.cli:info", "Show a checkpoint, or a method's settings."),
    "run": ("zoo.cli:run", "Repaint a picture with a method."),
    "video": ("zoo.cli:video", "Repaint a video."),
    "compare": ("zoo.cli:compare", "Run methods on the same pictures, and measure them."),
    "convert": ("zoo.cli:convert", "Turn released weights of others into a checkpoint."),
    "push": ("zoo.hub.commands:push", "Upload a checkpoint to a hub."),
    "pull": ("zoo.hub.commands:pull", "Download a checkpoint from a hub."),
    "verify": ("zoo.hub.commands:verify", "Hash the downloaded checkpoints again."),
    "serve": ("zoo.hub.cli:serve", "Run a hub over one data folder."),
    "token": ("zoo.hub.cli:token", "Create, list and revoke a hub's tokens."),
    "user": ("zoo.hub.cli:user", "Add people to a hub."),
    "gc": ("zoo.hub.cli:gc", "Remove what nothing on a hub refers to any more."),
    "fsck": ("zoo.hub.cli:fsck", "Check everything that a hub holds."),
}


class Commands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


@click.command(cls=Commands)
@click.option("-v", "--verbose", is_flag=True, help="Log what happens.")
def main(verbose: bool) -> None:
    """Style transfer: methods, checkpoints and their hub."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    allocator.keep_freed()


def run() -> None:
    """Run the command line; a person's mistake ends in one line and exit code 2."""
    try:
        main.main(prog_name="python -m zoo", standalone_mode=False)
    except ZooError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    run()
