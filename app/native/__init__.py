"""The compiled kernels: built once by numba in a process of their own, loaded ever after as plain machine code, without numba."""
