"""Build the site from flags and the environment, and serve it."""

from space import bootstrap

bootstrap.ensure()

import argparse  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

PREFIX = "STYLE_ZOO_"


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the flags; each has the environment's value as its default."""

    def setting(name: str, otherwise: str) -> str:
        return os.environ.get(PREFIX + name, otherwise)

    parser = argparse.ArgumentParser(
        description="Serve Style Zoo.",
        epilog=f"Each flag can be set in the environment too, as {PREFIX}HOST and so on.",
    )
    parser.add_argument("--host", default=setting("HOST", "127.0.0.1"), help="where to listen")
    parser.add_argument("--port", type=int, default=setting("PORT", "7860"), help="0: a free one")
    parser.add_argument(
        "--device", default=setting("DEVICE", "auto"), help="auto, cpu, cuda, cuda:1 or mps"
    )
    parser.add_argument(
        "--auth", default=setting("AUTH", ""), metavar="USER:PASSWORD", help="ask for a password"
    )
    parser.add_argument(
        "--share",
        action="store_true",
        default=setting("SHARE", "").lower() in ("1", "true", "yes"),
        help="ask for a public link",
    )
    parser.add_argument(
        "--root-path", default=setting("ROOT_PATH", ""), help="path behind a proxy, such as /studio"
    )
    parser.add_argument(
        "--data",
        default=setting("DATA", ""),
        metavar="FOLDER",
        help="where the site keeps its model hub; else the user's folder for data",
    )
    parser.add_argument(
        "--hub",
        default=setting("HUB", ""),
        metavar="URL",
        help="get checkpoints from this hub instead, such as https://huggingface.co",
    )
    given = parser.parse_args(words)
    if given.hub and not given.hub.startswith(("http://", "https://")):
        parser.error("--hub takes an address that starts with http:// or https://")
    user, colon, password = given.auth.partition(":")
    if given.auth and not (user and colon and password):
        parser.error("--auth takes USER:PASSWORD")
    given.auth = (user, password) if given.auth else None
    return given


def main() -> int:
    """Serve until interrupted; 2 when that cannot be."""
    given = arguments()
    # Before Gradio is imported: it reads them once.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for client in ("httpx", "httpx2"):
        logging.getLogger(client).setLevel(logging.WARNING)

    from space.hub import Shelf, data_folder
    from space.serve import serve
    from zoo.errors import ZooError
    from zoo.runtime import Runtime

    def say(words: str) -> None:
        print(words, flush=True)  # noqa: T201

    shelf = Shelf(Path(given.data or data_folder()).absolute(), given.hub)
    try:
        serve(
            Runtime(given.device, shelf.fetch, shelf.listing),
            shelf,
            host=given.host,
            port=given.port,
            auth=given.auth,
            public=given.share,
            root_path=given.root_path,
            say=say,
        )
    except ZooError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        reason = error.strerror or error
        sys.stderr.write(f"Cannot listen on {given.host}:{given.port}: {reason}\n")
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
