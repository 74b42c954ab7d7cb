"""One SIP worker: the composition root of the call path.

`main` puts it together, starts and stops it, `switching` puts a registry in force, `resuming` takes up what journals
say, `housekeeping` is done once a second. `peers` turns the registry's trunks into what the proxy sends to,
`gatekeeper` stands between the proxy core and the gate, `stats` copies the counters for a scrape. A worker imports
neither SQL nor HTTP libraries: one that was killed must be back within two seconds.
"""

from gateway.worker.main import run_worker

__all__ = ["run_worker"]
