"""The control plane: everything about a call but the call itself.

Theory of operation. The control process (`main`) serves HTTP (`api`, `page`, `health`), prepares the database and keeps
Redis in step with it (`projection`, `projector`). The shipper process (`ship`, `shipper`) carries the journals into
PostgreSQL. `importer` and `exporter` are what the command line and the API change the registry with. None of them is on
the path of a call: when they are away, calls go on.
"""
