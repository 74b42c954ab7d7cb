"""Changes of the system of record, one at a time: what the API and the command line both call.

Theory of operation. Each function runs in one transaction under the registry's lock (`changing.changing`): it reads
the whole record, changes rows by the reader of registry files (so a field means the same everywhere), validates the
whole result, and puts it in force by `importer.commit`, with version, outbox and audit row. Functions take a
connection; an approval executes them in its own transaction.

What opens outbound calls (a number's or trunk's flag, an enabled number, activation) and what lifts a restriction
needs a reason and a second person, and papers in order: everything that is missing is named, not the first thing."""

from gateway.control.registry_admin.changing import Changed, changing
from gateway.control.registry_admin.life import activate, set_range_state, suspend
from gateway.control.registry_admin.papers import record_document
from gateway.control.registry_admin.report import Report, check_report
from gateway.control.registry_admin.restrict import lift, restrict, say_of
from gateway.control.registry_admin.rows import put_row
from gateway.control.registry_admin.versions import Difference, difference, rollback
from gateway.control.two_persons import By

__all__ = [
    "By",
    "Changed",
    "Difference",
    "Report",
    "activate",
    "changing",
    "check_report",
    "difference",
    "lift",
    "put_row",
    "record_document",
    "restrict",
    "rollback",
    "say_of",
    "set_range_state",
    "suspend",
]
