"""The compiled twins of the transport: a free state y = (x, y, z, tx, ty, tz, q/p) and the derivatives J (7 x 5) of it
with respect to five start parameters are moved together, one track at a time."""
