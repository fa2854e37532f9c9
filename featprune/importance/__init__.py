"""The sources of importance: functions from arrays to scores or paths."""
