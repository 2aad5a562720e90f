"""A model hub in one process over one data folder, spoken to by the stock client.

Git repositories are the truth about files, SQLite about everything else, and large files lie
beside them under their sha256.
"""

from zoo.hub.server.app import Hub

__all__ = ["Hub"]
