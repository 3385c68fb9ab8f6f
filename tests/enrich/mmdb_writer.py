"""Writes small MaxMind databases for tests (MaxMind DB file format 2.0): 24-bit records, no pointers."""

import ipaddress

MARKER = b"\xab\xcd\xefMaxMind.com"


def encode(value):
    """One value of the data section."""
    if isinstance(value, bool):
        return bytes([int(value), 7])  # extended type 14
    if isinstance(value, str):
        text = value.encode()
        return _head(2, len(text)) + text
    if isinstance(value, float):
        import struct

        return _head(3, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _head(6, len(raw)) + raw
    if isinstance(value, tuple):  # (bits, number): metadata has fixed types
        bits, number = value
        raw = number.to_bytes(bits // 8, "big")
        return bytes([len(raw), 2]) + raw if bits == 64 else _head(5, len(raw)) + raw
    if isinstance(value, dict):
        return _head(7, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(encode(item) for item in value)
    raise TypeError(type(value))


def _head(kind, size):
    if size < 29:
        return bytes([kind << 5 | size])
    assert size < 285
    return bytes([kind << 5 | 29, size - 29])


def write_mmdb(path, networks, ip_version=6, database_type="Test-City"):
    """`networks`: {"8.8.8.0/24": record}; IPv4 ones lie in ::/96 of an IPv6 tree."""
    tree = [[None, None]]
    data, places = b"", []
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        bits, value = network.prefixlen, int(network.network_address)
        width = 32 if ip_version == 4 else 128
        if network.version == 4 and ip_version == 6:
            bits += 96
        node = 0
        for depth in range(bits - 1):
            side = value >> (width - 1 - depth) & 1
            if tree[node][side] is None:
                tree.append([None, None])
                tree[node][side] = len(tree) - 1
            node = tree[node][side]
        tree[node][value >> (width - bits) & 1] = ("data", len(data))
        data += encode(record)
        places.append(record)
    count = len(tree)

    def number(entry):
        if entry is None:
            return count
        return entry if isinstance(entry, int) else count + 16 + entry[1]

    nodes = b"".join(number(side).to_bytes(3, "big") for node in tree for side in node)
    meta = {
        "binary_format_major_version": (16, 2),
        "binary_format_minor_version": (16, 0),
        "build_epoch": (64, 1_780_000_000),
        "database_type": database_type,
        "description": {"en": "test"},
        "ip_version": (16, ip_version),
        "languages": ["en"],
        "node_count": count,
        "record_size": (16, 24),
    }
    path.write_bytes(nodes + bytes(16) + data + MARKER + encode(meta))
    return path
