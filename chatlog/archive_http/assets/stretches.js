// A day cut into stretches of about as many records as fit on a few screens, by its timeline: so that any place
// of it is known before anything is fetched. A stretch is { from, to, count }, in milliseconds.

const RECORDS = 150;

function* atoms(timeline) {
  const begin = Date.parse(timeline.from);
  const end = Date.parse(timeline.to);
  const step = timeline.step * 1000;
  for (const [index, count] of timeline.counts.entries()) {
    const from = begin + index * step;
    const fine = timeline.seconds[index];
    if (!fine) yield { from, to: Math.min(from + step, end), count };
    else for (const [second, each] of fine.entries()) yield { from: from + second * 1000, to: Math.min(from + (second + 1) * 1000, end), count: each };
  }
}

export function stretches(timeline) {
  const found = [];
  let open = null;
  for (const { from, to, count } of atoms(timeline)) {
    if (open && open.count + count > RECORDS && open.count) {
      found.push(open);
      open = null;
    }
    if (!open) open = { from, to, count };
    else {
      open.to = to;
      open.count += count;
    }
  }
  if (open) found.push(open);
  return found;
}
