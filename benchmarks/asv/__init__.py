"""Small benchmarks for airspeed velocity (asv), which keeps their history.

In a clone, with the extra `asv`, from its top folder:

    asv run --config benchmarks/asv.conf.json --python=same --quick    # each once, now
    asv run --config benchmarks/asv.conf.json --python=same --set-commit-hash $(git rev-parse HEAD)
    asv publish --config benchmarks/asv.conf.json && asv preview --config benchmarks/asv.conf.json
"""
