"""Measurements and proofs. Each is a command, ``python -m bench.NAME``, that prints what it found; its
docstring says what it does.

What recording costs: ``daemon``, ``beside`` (two versions at the same time), ``peers`` (other programs),
``parse_twitch``, ``parse_kick``, ``reading``, ``recorder``, ``lanes``, ``upload``, ``bundled``, ``sizes``,
``state``, ``start``, ``page``.

What the archive costs: ``archive``, ``read``, ``readers``, ``index``, ``importing``, ``erasure``,
``bundled_day``.

Proofs, whose status is 0 only if they pass: ``campaign`` (faults and kills under load), ``simulation``
(weeks of them in virtual time), ``overload``, ``changes``, ``stores`` (real S3 servers), ``older`` (what an
older version wrote), ``erasure_proof``, ``erasure_kills``, ``cluster_bounds``, ``cluster_worlds``, ``fuzz``,
``fuzz_archive``, ``mutants`` (whether the tests would notice).

The other modules serve these.
"""
