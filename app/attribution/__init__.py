"""Floor 4: whose socket is it? Every flow of this machine gets its program, with the method that told it, or the reason why not.

The broker's side (standard library only, with the rights to read other users' processes, never a frame):
    tracefs → trace_pages → task_table, trace_book    what the kernel says while it happens
    sock_diag, other_namespaces, socket_holders       whose socket it is now
    process_records                                    what is known of a process
    resolver → responder                               the chain, and its queue
The sensor's side: asker (questions of first packets, answers for the snapshot), polling (systems without any of that).
`questions` is what the two sides say to each other. Wrong is worse than unknown: what is ambiguous is not answered.
"""
