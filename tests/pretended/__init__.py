"""A pretended GPU: real numbers on the CPU, in tensors that say they are on ``cuda:0``.

What a GPU would refuse raises a `DeviceFaultError`; what makes the CPU wait for a GPU is recorded, with file and line.
It does not know CUDA's own autocast lists (those of the CPU stand in), the results of its libraries, memory and speed.
"""
