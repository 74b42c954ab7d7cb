"""The key file at a start: made where everything is new, never where there are data that another one was made with."""

from __future__ import annotations

from gateway.keys import Keys, KeysError, from_environment, load_or_create
from gateway.settings import Settings


def ensure_keys(settings: Settings) -> Keys:
    """The deployment's keys; made at the first start of all.

    Raises KeysError where the file cannot be used, or is gone while the state directory holds a database or journals:
    under a new key nobody's consent would be found, and no personal data be read.
    """
    file, state = settings.keys_file, settings.state_dir
    if not from_environment() and not file.exists():
        there = [str(path) for path in (state / "postgres", settings.journal_dir) if path.exists()]
        if there:
            raise KeysError(
                f"keys.file = {str(file)!r}: no such file, but {' and '.join(there)} hold data made with its keys; "
                f"fix: put its copy back, or, to begin without these data, move them out of {state}"
            )
    return load_or_create(file)
