# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""Draws a part of a trace as Perfetto shows it: a row for each thread, slices, and
arrows from senders to receivers."""

from xml.sax.saxutils import escape

WIDTH, LEFT, TOP, ROW, BAR, WAIT = 1000, 150, 24, 46, 18, 7

# How many messages are shown: those that follow each other most closely.
SHOWN = 10

COLORS = {
    "binder transaction": "#4285f4",
    "binder reply": "#34a853",
    "binder transaction async": "#fbbc04",
    "binder async rcv": "#fa7b17",
    "wait for reply": "#d2e3fc",
    "wait for work": "#e8eaed",
}


def draw(t, path):
    """Draws the busiest part of t."""
    flows = sorted(t.flows, key=lambda f: f[0].start)
    n = min(SHOWN, len(flows))
    first = min(range(len(flows) - n + 1), key=lambda i: flows[i + n - 1][1].start - flows[i][0].start)
    shown = flows[first : first + n]
    start = min(a.start for a, _ in shown)
    end = max(s.end or s.start for f in shown for s in f)
    margin = (end - start) // 40 + 1
    start, end = start - margin, end + margin

    threads = sorted({s.track for f in shown for s in f}, key=lambda tid: (t.threads[tid][0], tid))
    rows = {tid: TOP + i * ROW for i, tid in enumerate(threads)}
    height = TOP + len(threads) * ROW + 46

    def x(time):
        return LEFT + (min(max(time, start), end) - start) * (WIDTH - LEFT - 10) / (end - start)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
        '<defs><marker id="a" markerWidth="7" markerHeight="7" refX="6" refY="3" orient="auto">'
        '<path d="M0 0L6 3L0 6z" fill="#5f6368"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    step = _step(end - start)
    for i in range(int((end - start) // step) + 1):
        at = x(start + i * step)
        out.append(f'<path d="M{at:.1f} {TOP - 6}V{height - 40}" stroke="#eee"/>')
        out.append(f'<text x="{at:.1f}" y="12" fill="#5f6368">{i * step / 1000:g} us</text>')
    for tid, y in rows.items():
        ids = f"{t.threads[tid][0]}:{tid}"
        out.append(f'<text x="4" y="{y + 14}">{escape(t.label(tid))} <tspan fill="#5f6368">{ids}</tspan></text>')

    def bar(s, y, h):
        begin, finish = s.start, s.end or end
        if finish < start or begin > end:
            return
        w = max(x(finish) - x(begin), 2.5)
        to = f", to {s.args['to'][0]}, code {s.args['code']}" if "code" in s.args else ""
        title = f"{s.name} {s.transaction or ''}{to}: {(finish - begin) / 1000:.1f} us"
        out.append(
            f'<rect x="{x(begin):.1f}" y="{y}" width="{w:.1f}" height="{h}" rx="1.5" fill="{COLORS[s.name]}" stroke="#fff"'
            f' stroke-width=".5"><title>{escape(title)}</title></rect>'
        )

    for w in t.waits:
        if w.track in rows and w.name in COLORS:
            bar(w, rows[w.track] + 2 * BAR + 1, WAIT)
    # A thread's slices nest.
    depths = {}
    for s in sorted((s for s in t.slices if s.track in rows), key=lambda s: s.start):
        stack = depths.setdefault(s.track, [])
        while stack and (stack[-1].end or end) <= s.start:
            stack.pop()
        depth = min(len(stack), 1)
        stack.append(s)
        s.args["depth"] = depth
        bar(s, rows[s.track] + depth * BAR, BAR - 1)
    for a, b in flows:
        if a.track in rows and b.track in rows and start <= a.start and b.start <= end:
            ya = rows[a.track] + a.args["depth"] * BAR + BAR / 2
            yb = rows[b.track] + b.args["depth"] * BAR + BAR / 2
            out.append(
                f'<path d="M{x(a.start):.1f} {ya}C{x(a.start) + 14:.1f} {ya} {x(b.start) - 14:.1f} {yb} {x(b.start):.1f} {yb}"'
                ' fill="none" stroke="#5f6368" marker-end="url(#a)"/>'
            )
    at = LEFT
    for name, color in COLORS.items():
        out.append(f'<rect x="{at}" y="{height - 22}" width="10" height="10" fill="{color}"/>')
        out.append(f'<text x="{at + 14}" y="{height - 13}">{name}</text>')
        at += 30 + 6 * len(name)
    out.append("</svg>\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out))


def _step(span):
    """Returns the distance between grid lines, in nanoseconds."""
    step = 1000
    for factor in (2, 2.5, 2) * 8:
        if span / step <= 10:
            break
        step *= factor
    return step
