/** Snapshots of metrics: those of several processes as one, and as the text that Prometheus reads (format 0.0.4). */
import type { FamilySnapshot, SeriesSnapshot } from './registry.ts';

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What the processes of one host have counted together: a family that only some of them have is kept. */
export function mergeSnapshots(snapshots: readonly (readonly FamilySnapshot[])[]): FamilySnapshot[] {
  const families = new Map<string, { family: FamilySnapshot; series: Map<string, SeriesSnapshot> }>();
  for (const family of snapshots.flat()) {
    const known = families.get(family.name) ?? { family, series: new Map<string, SeriesSnapshot>() };
    families.set(family.name, known);
    for (const one of family.series) {
      const key = one.labels.join('\0');
      const other = known.series.get(key);
      known.series.set(key, other === undefined ? one : merged(other, one, family.merge));
    }
  }
  return [...families.values()].map(({ family, series }) => ({ ...family, series: [...series.values()] }));
}

function merged(a: SeriesSnapshot, b: SeriesSnapshot, merge: 'sum' | 'max'): SeriesSnapshot {
  const values = a.values.map((value, i) => {
    const other = b.values[i] ?? 0;
    return merge === 'max' ? Math.max(value, other) : value + other;
  });
  return { labels: a.labels, values };
}

export function metricsText(families: readonly FamilySnapshot[]): string {
  let text = '';
  for (const family of families) {
    text += `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.kind}\n`;
    for (const series of family.series) {
      text += family.kind === 'histogram' ? histogramLines(family, series) : valueLine(family, series);
    }
  }
  return text;
}

function valueLine({ name, labels }: FamilySnapshot, series: SeriesSnapshot): string {
  const pairs = labelPairs(labels, series.labels);
  return `${name}${pairs === '' ? '' : `{${pairs}}`} ${series.values[0]}\n`;
}

function histogramLines({ name, labels, bounds }: FamilySnapshot, series: SeriesSnapshot): string {
  const pairs = labelPairs(labels, series.labels);
  const before = pairs === '' ? '' : `${pairs},`;
  const set = pairs === '' ? '' : `{${pairs}}`;
  let text = '';
  let count = 0;
  for (let i = 0; i <= bounds.length; i++) {
    count += series.values[i]!;
    text += `${name}_bucket{${before}le="${bounds[i] ?? '+Inf'}"} ${count}\n`;
  }
  return `${text}${name}_sum${set} ${series.values[bounds.length + 1]}\n${name}_count${set} ${count}\n`;
}

/** A label without a value is left out: for Prometheus both mean the same. */
function labelPairs(names: readonly string[], values: readonly string[]): string {
  let pairs = '';
  for (let i = 0; i < names.length; i++) {
    if (values[i] === '') continue;
    pairs += `${pairs === '' ? '' : ','}${names[i]}="${escaped(values[i]!)}"`;
  }
  return pairs;
}

function escaped(value: string): string {
  if (!/["\\\n]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
