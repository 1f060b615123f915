"""The shared record: in through staging, across by linking, out through disclose, gone by erase."""
