/** The filters of the list of requests. They are in the address, so that a list can be shared and comes back. */
import { FINISHES } from '../../api/api-types.ts';
import { keyName } from '../../state/key-directory.ts';
import { setParameters } from '../../state/router.ts';
import { FINISH_NAMES } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Select } from '../../ui/choice.tsx';
import { InlineField } from '../../ui/inline-field.tsx';
import { KeyPicker } from '../../ui/key-picker.tsx';
import { SearchField } from '../../ui/search-field.tsx';
import { ENDPOINT_PATTERNS } from './endpoint-patterns.ts';

export const FILTER_NAMES = [
  'request_id',
  'key_id',
  'model',
  'endpoint',
  'finish',
  'status',
  'min_duration_ms',
] as const;

const STATUSES = ['200', '400', '401', '402', '403', '404', '408', '413', '429', '500', '502', '503', '504'];
const SLOW = [
  { value: '', label: 'any' },
  { value: '1000', label: 'over 1 s' },
  { value: '5000', label: 'over 5 s' },
  { value: '30000', label: 'over 30 s' },
  { value: '120000', label: 'over 2 min' },
];
const TYPING_MS = 300;

export function RequestFilters({ query }: { query: URLSearchParams }) {
  const value = (name: (typeof FILTER_NAMES)[number]) => query.get(name) ?? '';
  const isFiltered = FILTER_NAMES.some((name) => query.get(name));
  return (
    <div class="toolbar requests-toolbar">
      <SearchField
        label="Request id"
        value={value('request_id')}
        delayMs={TYPING_MS}
        onChange={(text) => setParameters({ request_id: text.trim() })}
      />
      <KeyPicker
        keyId={value('key_id')}
        name={value('key_id') ? keyName(value('key_id')) : ''}
        onChange={(id) => setParameters({ key_id: id })}
      />
      <TextFilter label="Model" value={value('model')} onChange={(text) => setParameters({ model: text })} />
      <TextFilter
        label="Endpoint"
        value={value('endpoint')}
        suggestions={ENDPOINT_PATTERNS}
        onChange={(path) => setParameters({ endpoint: path })}
      />
      <Select
        label="Finish"
        value={value('finish')}
        options={[{ value: '', label: 'all' }, ...FINISHES.map((name) => ({ value: name, label: FINISH_NAMES[name] }))]}
        onChange={(finish) => setParameters({ finish })}
      />
      <Select
        label="Status"
        value={value('status')}
        options={[{ value: '', label: 'all' }, ...STATUSES.map((status) => ({ value: status, label: status }))]}
        onChange={(status) => setParameters({ status })}
      />
      <Select
        label="Duration"
        value={value('min_duration_ms')}
        options={SLOW}
        onChange={(ms) => setParameters({ min_duration_ms: ms })}
      />
      {isFiltered && (
        <Button
          kind="quiet"
          icon="close"
          onPress={() => setParameters(Object.fromEntries(FILTER_NAMES.map((name) => [name, null])))}
        >
          Clear
        </Button>
      )}
    </div>
  );
}

interface TextFilterProps {
  readonly label: string;
  readonly value: string;
  readonly suggestions?: readonly string[];
  readonly onChange: (text: string) => void;
}

function TextFilter({ label, value, suggestions = [], onChange }: TextFilterProps) {
  return (
    <InlineField label={label}>
      {(id) => (
        <>
          <input
            id={id}
            value={value}
            list={`${id}-suggestions`}
            placeholder="all"
            autocomplete="off"
            spellcheck={false}
            onChange={(event) => onChange(event.currentTarget.value.trim())}
          />
          <datalist id={`${id}-suggestions`}>
            {suggestions.map((suggestion) => (
              <option key={suggestion} value={suggestion} />
            ))}
          </datalist>
        </>
      )}
    </InlineField>
  );
}
