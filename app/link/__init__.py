"""Floor 1: what the processes say to each other. Frames, messages, channels, and handing over of file descriptors."""
