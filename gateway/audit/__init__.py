"""What happened, provably: the door, the writer, the hash chain and its reports."""
