"""What a published data set is, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from sklearn_rnn.datasets._fetching import RemoteFile

RAW = "https://raw.githubusercontent.com/"
OPEN, UNCLEAR, RESTRICTED = (
    "open ({})",
    "unclear ({}): published freely, but without an explicit licence. Use it locally, and do not pass it on",
    "restricted ({}): for research. Use it locally, and do not pass it on",
)


@dataclass(frozen=True)
class DataSet:
    """A published data set.

    Attributes
    ----------
    title : str
    content : str
        What it holds, with counts.
    licence : str
        Whether it is open, unclear or restricted, and why.
    references : tuple of str
        What to cite.
    files : dict of RemoteFile
        By names that the fetchers know them by.
    """

    title: str
    content: str
    licence: str
    references: tuple[str, ...]
    files: dict[str, RemoteFile]

    @property
    def source(self) -> str:
        """Where its publisher shows it."""
        owner, repository, commit = next(iter(self.files.values())).url.removeprefix(RAW).split("/")[:3]
        return f"https://github.com/{owner}/{repository}/tree/{commit}"

    @property
    def description(self) -> str:
        """What it is, for the DESCR of a Bunch."""
        title = f"{self.title}\n{'=' * len(self.title)}"
        references = "\n".join(f"- {reference}" for reference in self.references)
        licence = f"Licence: {self.licence}.\n\nSource: {self.source}"
        return f"{title}\n\n{self.content}\n\n{licence}\n\nPlease cite:\n\n{references}\n"


def files_of(repository: str, commit: str, *rows: tuple[str, str, str, str, int]) -> dict[str, RemoteFile]:
    """Files of a repository on GitHub; a row is a name, the places in the data home and there, checksum and size."""
    address = f"{RAW}{repository}/{commit}"
    return {
        name: RemoteFile(place, f"{address}/{published}", sha256, size) for name, place, published, sha256, size in rows
    }
