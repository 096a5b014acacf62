"""Data subjects at the desk: their file number, history key, enrolments, and rekeying."""
