"""The rules of a job that shape the runs of its ticks, one module each; `jobs.emit` applies them in turn."""
