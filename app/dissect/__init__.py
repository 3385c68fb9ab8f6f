"""Floor 4: one packet as a tree of layers and fields, by scapy in a process of its own that can be killed and forgotten."""
