"""One test per clause of `config/packs/README.md` that calls can show, named by it: through the gate as it runs."""
