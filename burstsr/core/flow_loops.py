"""Flow between tile centres, bilinear: at one position, at many, and along a row of pixels. Every loop that needs a flow samples it here."""

import math

import numpy as np

from burstsr.core.jit import compiled, inlined

f4 = np.float32


@inlined
def floor(x):
    """Return the integer at or below x; math.floor would be a function call."""
    i = int(x)
    return i - 1 if f4(i) > x else i


def _sampler(real):
    """Return the sampler for positions of a precision."""

    @compiled
    def flow_at(tiles, tile, y, x):
        """Return dy, dx at raw (y, x): bilinear between tile centres, linear beyond the outermost, up to one tile. tiles (nty, ntx, 2)."""
        rows, columns = tiles.shape[:2]
        v = (y + real(0.5)) / real(tile) - real(0.5)
        i = int(v)
        i = min(max(i - 1 if real(i) > v else i, 0), max(rows - 2, 0))  # math.floor would be a function call
        v = min(max(v - real(i), real(-1)), real(2)) if rows > 1 else real(0)
        u = (x + real(0.5)) / real(tile) - real(0.5)
        j = int(u)
        j = min(max(j - 1 if real(j) > u else j, 0), max(columns - 2, 0))
        u = min(max(u - real(j), real(-1)), real(2)) if columns > 1 else real(0)
        i1 = min(i + 1, rows - 1)
        j1 = min(j + 1, columns - 1)
        y00, y01, y10, y11 = real(tiles[i, j, 0]), real(tiles[i, j1, 0]), real(tiles[i1, j, 0]), real(tiles[i1, j1, 0])
        x00, x01, x10, x11 = real(tiles[i, j, 1]), real(tiles[i, j1, 1]), real(tiles[i1, j, 1]), real(tiles[i1, j1, 1])
        dy0, dy1 = y00 + u * (y01 - y00), y10 + u * (y11 - y10)
        dx0, dx1 = x00 + u * (x01 - x00), x10 + u * (x11 - x10)
        return dy0 + v * (dy1 - dy0), dx0 + v * (dx1 - dx0)

    return flow_at


single_flow_at = _sampler(np.float32)
double_flow_at = _sampler(np.float64)


@compiled
def many_flows_at(first, last, tiles, tile, y, x, out):
    """Flow (n, 2) float64 at raw positions y, x (n,): `double_flow_at`."""
    for n in range(first, last):
        out[n, 0], out[n, 1] = double_flow_at(tiles, tile, y[n], x[n])


@compiled
def moved_positions(first, last, tiles, tile, step_y, step_x, y0, x0, out_y, out_x):
    """Add the flow to raw positions (y0, x0) + (step_y i, step_x j), rows i of out_y and out_x (h, w): `double_flow_at`."""
    for i in range(first, last):
        y = y0 + step_y * i
        for j in range(out_y.shape[1]):
            x = x0 + step_x * j
            dy, dx = double_flow_at(tiles, tile, y, x)
            out_y[i, j] = y + dy
            out_x[i, j] = x + dx


@compiled
def spaced(count, start, step):
    """Return float64 positions start, start + step, ...: of one type for all callers of `between_tiles`, which then is compiled once."""
    positions = np.empty(count)
    for k in range(count):
        positions[k] = start + step * k
    return positions


@compiled
def between_tiles(positions, tile, tiles):
    """Return, for raw positions along an axis, the index of the tile centre before each, and the fraction towards the next (extrapolated beyond the ends)."""
    count = len(positions)
    lower = np.empty(count, np.int64)
    share = np.empty(count, f4)
    for o in range(count):
        t = (positions[o] + 0.5) / tile - 0.5
        i = min(max(int(math.floor(t)), 0), max(tiles - 2, 0))
        lower[o] = i
        share[o] = t - i if tiles > 1 else 0.0
    return lower, share


@compiled
def segments_between(positions, tile, tiles):
    """Return `between_tiles`, and the runs of equal tile: their first positions followed by the total count, and their tiles."""
    lower, share = between_tiles(positions, tile, tiles)
    starts = [0]
    of_tile = [lower[0]]
    for o in range(1, len(lower)):
        if lower[o] != lower[o - 1]:
            starts.append(o)
            of_tile.append(lower[o])
    starts.append(len(lower))
    return lower, share, np.array(starts), np.array(of_tile)


@inlined
def row_shifts(flow, i, v, segments, of_tile, share, dy, dx):
    """Compute the flow of a row's pixels at fraction v between tile rows i and i + 1; bilinear between tile centres."""
    ntx = flow.shape[1]
    i1 = min(i + 1, flow.shape[0] - 1)
    for n in range(len(of_tile)):
        j = of_tile[n]
        j1 = min(j + 1, ntx - 1)
        y0 = flow[i, j, 0] + v * (flow[i1, j, 0] - flow[i, j, 0])
        y1 = flow[i, j1, 0] + v * (flow[i1, j1, 0] - flow[i, j1, 0]) - y0
        x0 = flow[i, j, 1] + v * (flow[i1, j, 1] - flow[i, j, 1])
        x1 = flow[i, j1, 1] + v * (flow[i1, j1, 1] - flow[i, j1, 1]) - x0
        u = share[segments[n] : segments[n + 1]]
        out_y = dy[segments[n] : segments[n + 1]]
        out_x = dx[segments[n] : segments[n + 1]]
        for k in range(len(u)):
            out_y[k] = y0 + u[k] * y1
            out_x[k] = x0 + u[k] * x1
