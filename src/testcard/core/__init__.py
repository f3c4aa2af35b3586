"""What every room speaks: the target, the record, the one way to send, budget, redaction, errors."""
