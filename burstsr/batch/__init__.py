"""Many bursts: jobs, resuming, executors, outputs and fallbacks. Prints nothing; arguments and text are the work of `burstsr.cli`."""
