"""What the gateway tells about itself.

`metrics` holds every Prometheus name and the plain counters of a worker, `stats_socket` carries them between processes,
`collector` merges them into `/metrics`; `logs` sets up structured logs. Workers import neither the
Prometheus library nor anything of the control plane.
"""
