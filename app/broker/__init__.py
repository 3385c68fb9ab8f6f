"""Side stairs: the process that has privileges. It opens packet sockets, compiles filters on live devices, starts the sensor and starts it again
when it dies. It never reads a frame, and takes only the jobs of a closed set. Standard library only.
"""
