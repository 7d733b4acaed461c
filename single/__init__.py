"""The fallback when there is no usable burst: one frame or picture, enlarged classically or by a network (SRCNN, SRResNet, SRGAN, ESRGAN, Zoom to Learn).

`single.inference` is its door. Importing it needs no torch.
"""
