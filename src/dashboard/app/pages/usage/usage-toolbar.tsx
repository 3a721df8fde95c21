/** The choices of the usage page. All of them are in the address. */
import { useMemo } from 'preact/hooks';
import { keyDirectory, keyName } from '../../state/key-directory.ts';
import { setParameters } from '../../state/router.ts';
import { useSharedState } from '../../state/shared-state.ts';
import { Segments, Select } from '../../ui/choice.tsx';
import { InlineField } from '../../ui/inline-field.tsx';
import { KeyPicker } from '../../ui/key-picker.tsx';
import { MEASURES, RANGES, type RangeName, type UsageView } from './usage-view.ts';

const STEPS = [
  { value: 'day', label: 'days' },
  { value: 'month', label: 'months' },
] as const;

export function UsageToolbar({ view }: { view: UsageView }) {
  const { keys } = useSharedState(keyDirectory);
  const tagNames = useMemo(() => {
    const names = new Set<string>(view.split.startsWith('tag:') ? [view.split.slice(4)] : []);
    for (const key of keys) for (const name in key.tags) names.add(name);
    return [...names].sort();
  }, [keys, view.split]);
  const splits = [
    { value: 'none', label: 'nothing' },
    { value: 'model', label: 'model' },
    { value: 'key', label: 'key' },
    ...tagNames.map((name) => ({ value: `tag:${name}`, label: `tag ${name}` })),
  ];
  const setRange = (range: RangeName) =>
    setParameters(range === 'custom' ? { range: null, from: view.from, to: view.to } : { range, from: null, to: null });
  return (
    <div class="toolbar">
      <Select label="Range" options={RANGES} value={view.range} onChange={setRange} />
      {view.range === 'custom' && (
        <>
          <DayField
            label="From"
            value={view.from}
            onChange={(from) => setParameters({ from, to: laterOf(from, view.to) })}
          />
          <DayField
            label="To"
            value={view.to}
            onChange={(to) => setParameters({ to, from: earlierOf(to, view.from) })}
          />
        </>
      )}
      <Segments label="Steps" options={STEPS} value={view.step} onChange={(by) => setParameters({ by })} />
      <Select
        label="Split by"
        options={splits}
        value={view.split || 'none'}
        onChange={(split) => setParameters({ split })}
      />
      <Select label="Show" options={MEASURES} value={view.measure} onChange={(measure) => setParameters({ measure })} />
      <KeyPicker
        keyId={view.keyId}
        name={view.keyId ? keyName(view.keyId) : ''}
        onChange={(id) => setParameters({ key_id: id })}
      />
    </div>
  );
}

function DayField({ label, value, onChange }: { label: string; value: string; onChange: (day: string) => void }) {
  return (
    <InlineField label={label}>
      {(id) => (
        <input
          id={id}
          type="date"
          value={value}
          required
          onChange={(event) => {
            if (event.currentTarget.value !== '') onChange(event.currentTarget.value);
          }}
        />
      )}
    </InlineField>
  );
}

function laterOf(a: string, b: string): string {
  return a > b ? a : b;
}

function earlierOf(a: string, b: string): string {
  return a < b ? a : b;
}
