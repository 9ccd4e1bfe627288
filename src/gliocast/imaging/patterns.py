"""Path patterns: how a data set's own layout says which file is which patient's.

A pattern is a path below the imaging folder, `/` between folders, with

- `<patient_id>` – the patient's identifier;
- `<number:4>` – the digits at the end of the identifier, as a number of at least four digits;
- `<nii.gz|nii|nrrd|mha>` – one of several texts;
- `*` – any text within one name; `**/` – any folders.

A pattern that ends in `/` names a folder (a DICOM series); `.*` at the end means any suffix.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from gliocast.errors import ConfigurationError, Problem
from gliocast.types import SAFE_IDENTIFIER, can_be_shown

TOKENS = re.compile(r"<patient_id>|<number:\d>|<[^<>]+>|\*\*/|\*|[^<>*]+")
NUMBER = re.compile(r"\d+$")
OF_MACOS = "._"  # what macOS writes beside every file on a disk of another system, under the file's own name


@dataclass(frozen=True)
class PathPattern:
    """One pattern, and the two questions it answers: where are a patient's files, and whose file is this?"""

    text: str

    def __post_init__(self) -> None:
        bad = self.text.startswith("/") or ".." in Path(self.text).parts
        if bad or not ("<patient_id>" in self.text or "<number:" in self.text):
            raise ConfigurationError(
                Problem(
                    "–",
                    "a path pattern",
                    repr(self.text),
                    "a path below the imaging folder with <patient_id>",
                    "Correct it; docs/how-to/swap-data.md says how patterns are written.",
                )
            )

    @property
    def is_folder(self) -> bool:
        """Whether it names folders rather than files."""
        return self.text.endswith("/")

    def globs(self, patient_id: str) -> dict[str, str]:
        """Glob patterns of one patient's files, one a choice of alternatives, and what messages call each.

        There the identifier stands as in the pattern: a part of a longer word (`subK7`), or a number alone, would tell
        who it is where nobody may be named.
        """
        texts = {"": ""}
        for token in TOKENS.findall(self.text.rstrip("/")):
            choices = _choices(token, patient_id)
            texts = {glob + choice: shown + name for glob, shown in texts.items() for choice, name in choices.items()}
        return texts

    def find(self, root: Path, patient_id: str) -> dict[Path, str]:
        """The patient's files (or folders) that exist, sorted, and the glob that each fits, as messages call it.

        A link to nothing counts where a pattern names it, so that it is told and not passed over.

        Raises:
            OSError: a folder on the way is closed; its `filename` is the glob that leads there, as messages call it.
        """
        if not can_be_shown(patient_id):
            return {}
        globs = self.globs(patient_id)
        found = {path: glob for glob, shown in globs.items() for path in _existing(root, glob, shown)}
        return {path: globs[found[path]] for path in sorted(found) if self._fits(path, found[path])}

    def identifiers(self, root: Path) -> dict[str, str]:
        """What stands in the identifier's place in every path that fits: the text (or number), and the path."""
        matcher = re.compile(_regex(TOKENS.findall(self.text.rstrip("/"))))
        found: dict[str, str] = {}
        for path in _walk(root, self.text.rstrip("/")):
            relative = path.relative_to(root).as_posix()
            match = matcher.fullmatch(relative)
            if match and is_folder(path) == self.is_folder:
                found.setdefault(match.group("who"), relative)
        return found

    def _fits(self, path: Path, glob: str) -> bool:
        return is_folder(path) == self.is_folder or ("*" not in glob and not there(path))


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; not where that cannot be known."""
    try:
        return path.is_dir()
    except OSError:
        return False


def there(path: Path) -> bool:
    """Whether a path leads to anything; not where that cannot be known."""
    try:
        return path.exists()
    except OSError:
        return False


def _choices(token: str, patient_id: str) -> dict[str, str]:
    """What may stand in a token's place, and what messages call it."""
    if token == "<patient_id>":  # noqa: S105 - a placeholder, no password
        return {patient_id: token}
    if token.startswith("<number:"):
        digits = NUMBER.search(patient_id)
        return {digits.group().lstrip("0").zfill(int(token[8])): token} if digits else {}
    return {text: text for text in (token[1:-1].split("|") if token.startswith("<") else [token])}


def _regex(tokens: list[str]) -> str:
    text, named = "", False
    for token in tokens:
        if token.startswith(("<patient_id>", "<number:")):
            kind = SAFE_IDENTIFIER if token == "<patient_id>" else r"\d{" + token[8] + ",}"  # noqa: S105
            text += "(?P=who)" if named else f"(?P<who>{kind})"
            named = True
        elif token.startswith("<"):
            text += "(?:" + "|".join(map(re.escape, token[1:-1].split("|"))) + ")"
        else:
            text += {"**/": "(?:.*/)?", "*": "[^/]*"}.get(token, re.escape(token))
    return text


def _existing(root: Path, glob: str, shown: str) -> list[Path]:
    try:
        if "*" not in glob:
            (root / glob).lstat()
            return [root / glob]
        os.scandir(root / glob.partition("*")[0].rpartition("/")[0]).close()  # `glob` passes over a closed folder
        literal = re.sub(r"[\[?]", r"[\g<0>]", glob)  # of a glob's own signs a pattern knows the star alone
        return [path for path in root.glob(literal) if not path.name.startswith(OF_MACOS)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OSError(error.errno, error.strerror, shown) from None


def _walk(root: Path, text: str) -> list[Path]:
    return sorted(root.rglob("*") if "**/" in text else root.glob("/".join("*" * (text.count("/") + 1))))
