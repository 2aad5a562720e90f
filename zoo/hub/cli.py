"""The commands that run and keep a hub: serve, token, user, gc, fsck."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.errors import InputError, ZooError

if TYPE_CHECKING:
    from zoo.hub.server.objects import ObjectStore

_DATA = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/hub"),
    envvar="ZOO_HUB_DATA",
    show_default=True,
    help="Folder with everything the hub keeps.",
)
_BUCKET = click.option(
    "--bucket",
    envvar="ZOO_HUB_BUCKET",
    help="Keep large files in s3://bucket/prefix instead of the folder.",
)


@click.group()
def main() -> None:
    """Run and keep a model hub."""


@click.command()
@_DATA
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port; 0 takes a free one.")
@click.option("--public-url", help="Address clients use, with its prefix, if a proxy hides it.")
@click.option("--closed", is_flag=True, help="Let nobody read without a token.")
@click.option("--part-size", default=0, help="Cut LFS uploads into parts of this many MB.")
@_BUCKET
def serve(
    data: Path,
    host: str,
    port: int,
    public_url: str | None,
    closed: bool,
    part_size: int,
    bucket: str | None,
) -> None:
    """Serve a hub to the stock client, `hf`, git and browsers."""
    import ipaddress
    import resource
    import socket
    from contextlib import suppress

    import uvicorn

    from zoo.hub.server import Hub
    from zoo.hub.server.sending import SendfileProtocol

    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        click.echo("Tokens travel in clear: put a proxy with TLS in front of this.", err=True)
    # Connections and packs of repositories need more open files than the usual 1024.
    with suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    hub = Hub(
        data,
        public_url=public_url,
        closed=closed,
        objects=_objects(bucket),
        part_bytes=part_size * 10**6,
    )
    config = uvicorn.Config(
        hub.asgi,
        host=host,
        port=port,
        http=SendfileProtocol,
        loop="asyncio",  # the only one whose sockets can send files
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        log_level="warning",
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(2048)  # before the line below: who reads it may connect at once
            shown = f"[{host}]" if ":" in host else host
            click.echo(f"Hub on http://{shown}:{listening.getsockname()[1]}")

            uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # how one stops a server is no error
    finally:
        hub.close()


def _objects(bucket: str | None) -> "ObjectStore | None":
    if not bucket:
        return None
    from zoo.hub.server.bucket import BucketStore

    return BucketStore(bucket)


def _existing(data: Path) -> Path:
    """Return the folder of a hub; raises InputError where none is, as after a slip in its name."""
    if not (data / "hub.sqlite").is_file():
        raise InputError(
            "There is no hub in “{name}”. Name its folder with --data.", name=str(data)
        )
    return data


@click.group()
def token() -> None:
    """Create, list and revoke tokens."""


@token.command("create")
@_DATA
@click.argument("user")
@click.option("--name", default="token", show_default=True, help="What to call it in lists.")
@click.option("--role", type=click.Choice(["read", "write"]), default="write", show_default=True)
@click.option("--value", envvar="ZOO_HUB_TOKEN", help="Take this token instead of a new one.")
def token_create(data: Path, user: str, name: str, role: str, value: str | None) -> None:
    """Create a token for USER and print it; it is shown this once."""
    from zoo.hub.server.app import new_token
    from zoo.hub.server.errors import BadRequestError
    from zoo.hub.server.names import check_namespace
    from zoo.hub.server.store import Store

    if value is not None and (len(value) < 8 or not value.isascii() or not value.isprintable()):
        raise BadRequestError("A token has at least 8 printable ASCII characters.")
    value = value or new_token()
    with closing(Store(data / "hub.sqlite")) as store, store.transaction():
        store.add_user(check_namespace(user))
        store.add_token(value, user, name, "read" if role == "read" else "write")
    click.echo(value)


@token.command("list")
@_DATA
def token_list(data: Path) -> None:
    """List tokens: id, user, role, name, day of creation."""
    from zoo.hub.server.formats import timestamp
    from zoo.hub.server.store import Store

    store = Store(_existing(data) / "hub.sqlite")
    for row in store.rows("SELECT * FROM tokens ORDER BY user, created"):
        day = timestamp(row["created"])[:10]
        click.echo(f"{row['hash'][:12]}  {row['user']}  {row['role']}  {row['name']}  {day}")
    store.close()


@token.command("revoke")
@_DATA
@click.argument("which")
def token_revoke(data: Path, which: str) -> None:
    """Revoke the token with id WHICH (see `token list`), or the token WHICH itself."""
    from zoo.hub.server.errors import NotFoundError
    from zoo.hub.server.store import Store, token_hash

    store = Store(_existing(data) / "hub.sqlite")
    sql = (
        "DELETE FROM tokens WHERE hash = ? OR (length(?) >= 12 AND substr(hash, 1, length(?)) = ?)"
    )
    count = store.run(sql, token_hash(which), which, which, which)
    store.close()
    if not count:
        raise NotFoundError("There is no such token.")
    click.echo(f"Revoked {count}.")


@click.group()
def user() -> None:
    """Add and remove users and organisations."""


@user.command("add")
@_DATA
@click.argument("name")
@click.option("--member", multiple=True, help="Make it an organisation with this user in it.")
def user_add(data: Path, name: str, member: tuple[str, ...]) -> None:
    """Add the user or organisation NAME."""
    from zoo.hub.server.names import check_namespace
    from zoo.hub.server.store import Store

    store = Store(data / "hub.sqlite")
    for each in member:
        store.add_user(check_namespace(each))
    store.add_user(check_namespace(name), "org" if member else "user", member)
    store.close()


@user.command("remove")
@_DATA
@click.argument("name")
@click.option("--member", multiple=True, help="Take only this user out of the organisation NAME.")
def user_remove(data: Path, name: str, member: tuple[str, ...]) -> None:
    """Remove the user or organisation NAME and its tokens; its repositories stay."""
    from zoo.hub.server.errors import NotFoundError
    from zoo.hub.server.store import Store

    with closing(Store(_existing(data) / "hub.sqlite")) as store, store.transaction():
        for each in member:
            sql = "DELETE FROM members WHERE organization = ? AND user = ?"
            if not store.run(sql, name, each):
                raise NotFoundError("“{user}” is no member of “{name}”.", user=each, name=name)
        if not member and not store.run("DELETE FROM users WHERE name = ?", name):
            raise NotFoundError("There is no user “{name}”.", name=name)


@click.command()
@_DATA
@_BUCKET
def gc(data: Path, bucket: str | None) -> None:
    """Remove what nothing refers to; a running hub does this by itself every hour."""
    from zoo.hub.server import Hub
    from zoo.hub.server.collecting import collect

    hub = Hub(_existing(data), objects=_objects(bucket))
    done = collect(hub)
    hub.close()
    click.echo(f"Removed {done.objects} objects ({done.bytes} bytes), {done.folders} folders.")


@click.command()
@_DATA
@_BUCKET
@click.option("--quick", is_flag=True, help="Check sizes of large files, not their sha256.")
def fsck(data: Path, bucket: str | None, quick: bool) -> None:
    """Check every repository and large file; exit code 1 if something is wrong."""
    from zoo.hub.server.checking import check

    count = 0
    for problem in check(_existing(data), hashes=not quick, objects=_objects(bucket)):
        click.echo(problem)
        count += 1
    click.echo(f"{count} problems." if count else "Everything is there and intact.")
    if count:
        sys.exit(1)


for _command in (serve, token, user, gc, fsck):
    main.add_command(_command)

if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except ZooError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
