"""Changes to the files of a commit."""

from collections.abc import Sequence
from stat import S_ISDIR
from typing import TYPE_CHECKING, Final

from dulwich.objects import ObjectID, Tree

from zoo.hub.server.errors import EntryNotFoundError, UnprocessableError

if TYPE_CHECKING:
    from zoo.hub.server.repository import Repository

FILE_MODE: Final = 0o100644
FOLDER_MODE: Final = 0o040000


class Edits:
    """Changes to a tree, loading only the folders they touch."""

    def __init__(self, repository: "Repository", root: ObjectID | None) -> None:
        self._repository = repository
        self._root = _Folder(repository.tree(root) if root else Tree())

    def put(self, parts: Sequence[str], sha: ObjectID, mode: int = FILE_MODE) -> None:
        """Place a blob at a path, making its folders.

        Raises:
            UnprocessableError: A folder is in its place, or a file in the place of a folder.
        """
        folder = self._root
        for part in parts[:-1]:
            step = folder.child(part, self._repository)
            if step is None:
                if part.encode() in folder.tree:
                    raise UnprocessableError("“{part}” is a file, not a folder.", part=part)
                step = folder.children[part.encode()] = _Folder(Tree())
            folder = step
        name = parts[-1].encode()
        here = folder.child(parts[-1], self._repository)
        if here is not None and not here.is_empty():
            raise UnprocessableError("“{path}” is a folder.", path="/".join(parts))
        folder.children.pop(name, None)
        folder.tree[name] = (mode, sha)

    def remove(self, parts: Sequence[str], *, folder_only: bool = False) -> None:
        """Remove a file or a whole folder.

        Raises:
            EntryNotFoundError: There is none.
        """
        folder: _Folder | None = self._root
        for part in parts[:-1]:
            folder = folder.child(part, self._repository) if folder else None
        name = parts[-1].encode()
        if folder is not None:
            if folder.children.pop(name, None) is not None:
                if name in folder.tree:
                    del folder.tree[name]
                return
            if name in folder.tree and (S_ISDIR(folder.tree[name][0] or 0) or not folder_only):
                del folder.tree[name]
                return
        raise EntryNotFoundError(
            "A file with this name doesn't exist: “{path}”.", path="/".join(parts)
        )

    def write(self) -> tuple[ObjectID, list[Tree]]:
        """Return the new root's id and the trees to store; empty folders vanish."""
        trees: list[Tree] = []
        _collect(self._root, trees)
        trees.append(self._root.tree)
        return self._root.tree.id, trees


class _Folder:
    """One loaded tree and those of its folders that were loaded too."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.children: dict[bytes, _Folder] = {}

    def child(self, part: str, repository: "Repository") -> "_Folder | None":
        name = part.encode()
        if name in self.children:
            return self.children[name]
        if name not in self.tree or not S_ISDIR(self.tree[name][0] or 0):
            return None
        self.children[name] = _Folder(repository.tree(self.tree[name][1]))
        return self.children[name]

    def is_empty(self) -> bool:
        """Say whether no file is left in it."""
        return all(name in self.children for name in self.tree) and all(
            child.is_empty() for child in self.children.values()
        )


def _collect(folder: _Folder, trees: list[Tree]) -> None:
    for name, child in folder.children.items():
        _collect(child, trees)
        if len(child.tree):
            folder.tree[name] = (FOLDER_MODE, child.tree.id)
            trees.append(child.tree)
        elif name in folder.tree:
            del folder.tree[name]
