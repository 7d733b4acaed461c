"""Upper bound of luma around highlights, from a longer exposure that shows their dark surroundings unclipped."""

import numpy as np

from burstsr.core.jit import compiled

f4 = np.float32


@compiled
def limit(image, own, certain, accepted, unclipped, room_share, room_sigmas, alpha, beta):
    """Limit the luma of an image (h, w, 3), in place, to that of an exposure, `own` (h, w, 3), plus some room; the colour moves towards `own`.

    Only where its robustness `certain` (h, w) exceeds `accepted` and its brightest colour is below `unclipped`. The room is a share of its luma plus
    noise sigmas: variance = alpha * luma + beta.
    """
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            red, green, blue = own[i, j, 0], own[i, j, 1], own[i, j, 2]
            luma = f4(0.25) * (red + blue) + f4(0.5) * green
            above = f4(0.25) * (image[i, j, 0] + image[i, j, 2]) + f4(0.5) * image[i, j, 1] - luma
            if above > room_share * luma and certain[i, j] > accepted and max(red, green, blue) < unclipped:
                room = room_share * luma + room_sigmas * f4(np.sqrt(alpha * luma + beta))
                if above > room:
                    share = room / above
                    image[i, j, 0] = red + (image[i, j, 0] - red) * share
                    image[i, j, 1] = green + (image[i, j, 1] - green) * share
                    image[i, j, 2] = blue + (image[i, j, 2] - blue) * share
