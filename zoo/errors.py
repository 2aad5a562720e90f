"""Errors a person can act on; everything else is a bug and keeps its traceback.

A message is an English sentence with named fields, kept apart from their values, so that the
site can look up the sentence in the visitor's language and put the same values in.
"""


class ZooError(Exception):
    """Base of every error whose message is fit to show to a person.

    Args:
        message: One or two sentences that say what is wrong and what to do, with ``{name}``
            where a value goes. It is the key of its own translation, so never an f-string.
        **fields: The values that go into the sentence.
    """

    def __init__(self, message: str, **fields: object) -> None:
        self.message = message
        self.fields = fields
        super().__init__(message.format(**fields))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the fields: the default would replay only the formatted sentence."""
        return _rebuild, (type(self), self.message, self.fields)


def _rebuild(cls: type[ZooError], message: str, fields: dict[str, object]) -> ZooError:
    return cls(message, **fields)


class InputError(ZooError, ValueError):
    """The caller's picture or option is unusable; the message names it and what to change."""


class UnknownMethodError(ZooError, LookupError):
    """No method is registered under that name."""


class CheckpointError(ZooError):
    """A checkpoint is incomplete, damaged or made for another method."""


class RepoNotFoundError(ZooError, LookupError):
    """No repository, or none that this caller may see, has that ``repo_id``."""


class RevisionNotFoundError(ZooError, LookupError):
    """The repository exists, but not that revision of it."""


class HubUnavailableError(ZooError):
    """The hub does not answer, and what was asked for is not on this machine."""


class ChecksumError(CheckpointError):
    """A downloaded file is not the file that the hub announced."""


class DiskFullError(ZooError):
    """There is no room for what would be written."""


class DeviceError(ZooError):
    """The device asked for is not there, or has no memory left for this picture."""
