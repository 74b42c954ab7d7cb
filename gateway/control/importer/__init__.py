"""Changes from files and from the command line: registry, packs, consents, refusals.

Theory of operation. An import is read and checked whole; up to 50 problems are named by line, field, value
and fix, and one of them refuses everything. What passes takes effect in one transaction with one outbox row
and one audit row. Consents and refusals are ordered by event time (`store.sql.consents`), so files may come
in any order and any number of times; decline feeds by their versions (`feeds`). Large files are cut into blocks
(`blocks`), which processes make ready side by side (`preparing`, `prepare`), staged in chunks (`bulk`), and a killed
import of the same file goes on where it stopped. Lists can go back to earlier versions (`rollback`). `check` reads a
deployment directory the same way without a database."""

from gateway.control.importer.bootstrap import bootstrap
from gateway.control.importer.consents import grant_consent, import_consents, revoke_consent
from gateway.control.importer.feeds import define_feed, import_feed, list_feeds
from gateway.control.importer.packs import import_pack
from gateway.control.importer.problems import ImportRefused, ImportReport, Problem
from gateway.control.importer.refusals import add_refusal, import_refusals, withdraw_refusal
from gateway.control.importer.registry import import_registry
from gateway.control.importer.rollback import list_versions, roll_back
from gateway.control.importer.wishes import set_wish, wishes_of, withdraw_wish

__all__ = [
    "ImportRefused",
    "ImportReport",
    "Problem",
    "add_refusal",
    "bootstrap",
    "define_feed",
    "grant_consent",
    "import_consents",
    "import_feed",
    "import_pack",
    "import_refusals",
    "import_registry",
    "list_feeds",
    "list_versions",
    "revoke_consent",
    "roll_back",
    "set_wish",
    "wishes_of",
    "withdraw_refusal",
    "withdraw_wish",
]
