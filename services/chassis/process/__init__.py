"""The life of a process: assembly, start, probes, threads, signals and orderly stop."""
