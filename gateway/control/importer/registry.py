"""Import of the registry: rows of a TOML file over what is stored, checked as a whole, in force all at
once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.bulk import Progress, Step
from gateway.control.importer.commit import Change, clock, put_in_force, refuse_barred, refuse_shrinking
from gateway.control.importer.problems import NO_PACK, ImportReport, Problems
from gateway.control.importer.ranges_csv import read_ranges
from gateway.control.importer.registry_differences import registry_differences
from gateway.control.importer.registry_file import RegistryFile, read_registry_file
from gateway.control.record import record_of
from gateway.control.two_persons import ASK, By, require_papers, require_second
from gateway.registry.model import NumberRange, Snapshot, Trunk
from gateway.registry.openings import Opening, openings, opens_first
from gateway.registry.shrink import DEFAULT_SHARE
from gateway.registry.standing import Tenant
from gateway.registry.validate import validate
from gateway.registry.validate_document import check_documents, fresh_documents
from gateway.store.sql import registry as sql
from gateway.store.sql.documents import add_documents, load_documents
from gateway.store.sql.engine import mapped_errors


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_HasId)
S = TypeVar("S", Tenant, Trunk, NumberRange)
KEPT = ("state", "steps")
"""What is set by command, and kept where a file leaves it out."""


def _tell_nobody(_phase: str) -> None:
    """For imports that nobody watches."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a file is to be taken up. `whole`: trunks, ranges and tenants it does not name go; more than the share
    `max_shrink` of them only with `allow_shrink`. `dry_run`: say what would change, and change nothing."""

    kind: str = "registry"
    whole: bool = False
    allow_shrink: bool = False
    max_shrink: float = DEFAULT_SHARE
    dry_run: bool = False


async def import_registry(
    engine: AsyncEngine,
    text: str,
    name: str,
    principal: str,
    *,
    whole: bool = False,
    allow_shrink: bool = False,
    max_shrink: float = DEFAULT_SHARE,
    dry_run: bool = False,
) -> ImportReport:
    """`import_file` of a TOML text. Raises as it does."""
    terms = Terms("registry", whole, allow_shrink, max_shrink, dry_run)
    return await import_file(engine, _read(text, name), name, principal, terms)


async def import_ranges(
    engine: AsyncEngine,
    path: Path,
    principal: str,
    progress: Progress | None = None,
    *,
    whole: bool = False,
    allow_shrink: bool = False,
    max_shrink: float = DEFAULT_SHARE,
    dry_run: bool = False,
    name: str = "",
) -> ImportReport:
    """As `import_registry`, with a CSV file of ranges alone (`ranges_csv`). `whole`: ranges the file does not name go.
    `name`: what it is called in messages and records, if not by its path. Raises OSError besides."""
    problems = Problems(name or str(path))
    file = read_ranges(path, problems, progress)
    problems.check()

    def tell(phase: str) -> None:
        if progress:
            progress(Step(phase, 0, 0, file.rows))

    terms = Terms("ranges", whole, allow_shrink, max_shrink, dry_run)
    return await import_file(engine, file, problems.name, principal, terms, tell)


async def import_file(
    engine: AsyncEngine,
    file: RegistryFile,
    name: str,
    principal: str,
    terms: Terms,
    tell: Callable[[str], None] = _tell_nobody,
) -> ImportReport:
    """`import_on`, in a transaction of its own. Raises ImportRefused, Conflict, Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            return await import_on(connection, file, name, By(principal), terms, tell)


async def import_on(
    connection: AsyncConnection,
    file: RegistryFile,
    name: str,
    by: By,
    terms: Terms,
    tell: Callable[[str], None] = _tell_nobody,
) -> ImportReport:
    """Put the rows of a registry file over the stored ones, by id. `name`: the file's path (plan files are found from
    it). `tell`: is told what is done now.

    The registry that would result is validated whole; one problem refuses everything. What lets more calls out than
    before takes a second person (`by.approver`) and papers in order, but for the first load into an empty registry. A
    file that says what is stored makes no new version. Raises ImportRefused, Conflict, Unavailable."""
    problems = Problems(name)
    await sql.lock_registry(connection)
    stored = await sql.load_snapshot(connection)
    documents = await load_documents(connection)
    tell("checking")
    wanted = merged(stored, file, terms.whole)
    fresh = fresh_documents(documents, file.documents)
    note_invalid(validate(wanted) + check_documents(documents, fresh, wanted), file, problems)
    problems.check()
    found = [] if opens_first(stored) else openings(stored, wanted)
    if not by.approver:
        note_opened(found, file, problems)
        problems.check()
    hint = "" if stored.packs else NO_PACK
    titles = await _new_titles(connection, file)
    if wanted == stored and not titles and not fresh:
        unchanged = ImportReport(terms.kind, name, file.rows, 0, stored.version, hint)
        return replace(unchanged, dry_run=terms.dry_run, unchanged=file.rows)
    refuse_shrinking(stored, wanted, terms.allow_shrink, terms.max_shrink)
    now = await clock(connection)
    fresh = [replace(one, recorded_by=one.recorded_by or by.principal) for one in fresh]
    refuse_barred(record_of(stored, documents), wanted, now)
    if found:
        require_second(by, "; ".join(one.words for one in found))
        require_papers(record_of(wanted, (*documents, *fresh)), found, now)
    if terms.dry_run:
        return _tried(terms.kind, name, file, stored, wanted)
    detail = {"documents": [one.id for one in fresh]} if fresh else {}
    change = Change(by.principal, f"import.{terms.kind}", Path(name).name, by.reason, by.approver, detail)
    tell("merging")
    version, count = await put_in_force(connection, stored, wanted, change, titles, len(fresh))
    await add_documents(connection, fresh)
    return ImportReport(terms.kind, name, file.rows, count, version, hint)


def _tried(kind: str, name: str, file: RegistryFile, stored: Snapshot, wanted: Snapshot) -> ImportReport:
    """What a dry run says."""
    new, other, gone, shown = registry_differences(stored, wanted)
    return ImportReport(
        kind, name, file.rows, new + other + gone, stored.version, added=new,
        unchanged=max(0, file.rows - new - other), dry_run=True, differences=tuple(shown),
    )  # fmt: skip


def _read(text: str, name: str) -> RegistryFile:
    problems = Problems(name)
    file = read_registry_file(text, Path(name).parent, problems)
    problems.check()
    return file


async def _new_titles(connection: AsyncConnection, file: RegistryFile) -> dict[str, str]:
    """Purposes of the file that are new or have another title than the stored one; name to title."""
    stored = await sql.purpose_titles(connection)
    wanted = {name: stored.get(name, "") if title is None else title for name, title in file.purposes.items()}
    return {name: title for name, title in wanted.items() if stored.get(name) != title}


def merged(stored: Snapshot, file: RegistryFile, whole: bool = False) -> Snapshot:
    """The registry that would result. New operators and purposes get the next free numbers, in file order; they are
    never taken away, since consents name them."""
    purposes = dict(stored.purposes)
    for name in file.purposes:
        if name not in purposes:
            purposes[name] = next_number(purposes.values())
    operators = {row.id: row for row in stored.operators}
    for row in file.operators:
        known = operators.get(row.id)
        number = known.number if known else next_number([other.number for other in operators.values()])
        state = known.state if known and ("operator", row.id, "state") in file.unstated else row.state
        operators[row.id] = replace(row, number=number, state=state)
    snapshot = replace(
        stored,
        operators=tuple(sorted(operators.values(), key=_by_id)),
        tenants=_over(
            _stays(stored.tenants, "tenant", file, whole), _as_set("tenant", stored.tenants, file.tenants, file)
        ),
        trunks=_over(
            _stays(stored.trunks, "trunk", file, whole),
            as_at_hand(stored.trunks, _as_set("trunk", stored.trunks, file.trunks, file)),
        ),
        ranges=_over(_stays(stored.ranges, "range", file, whole), _as_set("range", stored.ranges, file.ranges, file)),
        purposes=purposes,
    )
    if file.plan is None:
        return snapshot
    plan = file.plan
    return replace(snapshot, plan=plan.entries, emergency=plan.emergency, country=plan.country, zone=plan.zone)


def _stays(stored: tuple[R, ...], table: str, file: RegistryFile, whole: bool) -> tuple[R, ...]:
    """Rows that stay though the file does not name them."""
    return () if whole and table in file.tables else stored


def _as_set(kind: str, stored: Sequence[S], rows: Sequence[S], file: RegistryFile) -> list[S]:
    """Rows with the states that were set by command, where the file states none: a file that is imported again neither
    activates what was suspended nor brings back a number that was recalled."""
    known = {row.id: row for row in stored}
    found = []
    for row in rows:
        before = known.get(row.id)
        kept = {} if before is None else {key: getattr(before, key) for key in KEPT if hasattr(row, key)}
        left = {key: value for key, value in kept.items() if (kind, row.id, key) in file.unstated}
        found.append(replace(row, **left) if left else row)
    return found


def next_number(used: Iterable[int]) -> int:
    """A number nobody has or had: operators and purposes are never deleted."""
    return max(used, default=0) + 1


def as_at_hand(stored: Sequence[Trunk], rows: Sequence[Trunk]) -> list[Trunk]:
    """Trunks with what is set by command only: passwords, and next hops drained by hand."""
    return [_as_drained(row, stored) for row in _with_secrets(stored, rows)]


def _with_secrets(stored: Sequence[Trunk], rows: Sequence[Trunk]) -> list[Trunk]:
    """Digest accounts that a file names without secrets keep the stored ones: these are not written into files."""
    known = {(trunk.id, one.user, one.realm): one.secrets for trunk in stored for one in trunk.digest}
    return [
        replace(
            row,
            digest=tuple(
                replace(one, secrets=one.secrets or known.get((row.id, one.user, one.realm), ())) for one in row.digest
            ),
        )
        for row in rows
    ]


def _over(stored: tuple[R, ...], rows: Sequence[R]) -> tuple[R, ...]:
    merged = {row.id: row for row in stored} | {row.id: row for row in rows}
    return tuple(sorted(merged.values(), key=_by_id))


def _as_drained(row: Trunk, stored: Sequence[Trunk]) -> Trunk:
    """A file that is imported again does not put a hop back into use that was drained by hand."""
    drained = {hop.place for trunk in stored if trunk.id == row.id for hop in trunk.next_hops if hop.drained}
    if not drained:
        return row
    hops = tuple(replace(hop, drained=True) if hop.place in drained else hop for hop in row.next_hops)
    return replace(row, next_hops=hops)


def _by_id(row: _HasId) -> str:
    return row.id


def note_invalid(found: list[str], file: RegistryFile, problems: Problems) -> None:
    """Put `validate`'s words (`range a.first: value: fix`) to the lines of the file."""
    for problem in found:
        where, _, rest = problem.partition(": ")
        value, _, fix = rest.partition(": ")
        table, _, subject = where.partition(" ")
        row_id, key = subject, ""
        while row_id and (table, row_id) not in file.places:
            row_id, _, last = row_id.rpartition(".")
            key = last
        if row_id:
            line = file.lines.line(table, file.places[table, row_id], key.split(" ")[0])
        else:
            table, _, key = where.partition(".")
            line = file.lines.line(table, 0, key)
        problems.add(line, where, value, fix or "mend it")


def note_opened(found: Sequence[Opening], file: RegistryFile, problems: Problems) -> None:
    """Put what takes a second person to the lines of the file."""
    for one in found:
        line = file.lines.line(one.kind, file.places.get((one.kind, one.subject), 0), one.field)
        problems.add(line, f"{one.kind} {one.subject}.{one.field}", one.words, f"takes a second person: {ASK}")
