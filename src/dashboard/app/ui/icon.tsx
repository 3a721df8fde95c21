/** Line icons of 16 by 16. They repeat what the text beside them says, or their button has a label of its own. */

const PATHS = {
  live: 'M1.5 8h3l2-5 3 10 2-5h3',
  key: 'M9.2 6.8 14 2m-2.2 2.2 1.7 1.7M10 10a3.3 3.3 0 1 1-6.6 0A3.3 3.3 0 0 1 10 10Z',
  usage: 'M2.5 13.5v-5m3.7 5v-8m3.6 8v-4m3.7 4v-11',
  requests: 'M2 4h12M2 8h12M2 12h7',
  playground: 'M4.5 2.8v10.4L13 8 4.5 2.8Z',
  connect: 'M6 2v3m4-3v3M4 5h8v2.5a4 4 0 0 1-8 0V5Zm4 6.5V14',
  settings: 'M2 4.5h7m3 0h2M2 11.5h2m3 0h7M10.5 3v3m-5 4v3',
  book: 'M8 3.8C6.6 2.8 4.6 2.5 2 2.5v10c2.6 0 4.6.3 6 1.3 1.4-1 3.4-1.3 6-1.3v-10c-2.6 0-4.6.3-6 1.3Zm0 0v10',
  system: 'M2 3h12v8H2V3Zm4 10.5h4',
  light:
    'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6ZM8 1v1.5m0 11V15m7-7h-1.5M2.5 8H1m12-5-1 1M4 12l-1 1m10 0-1-1M4 4 3 3',
  dark: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a5.8 5.8 0 1 0 7 7Z',
  keyboard: 'M1.500 4h13v8h-13V4Zm3 5.500h7M4 6.500h.2m2.500 0h.2m2.400 0h.2m2.400 0h.2',
  leave: 'M6 2.5H2.5v11H6M10 5l3 3-3 3m3-3H6',
  menu: 'M2 4.5h12M2 8h12M2 11.5h12',
  close: 'm3.5 3.5 9 9m0-9-9 9',
  copy: 'M5.5 5.5h8v8h-8v-8Zm-3 5v-8h8',
  check: 'm3 8.5 3.2 3.2L13 5',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9Zm3.3 7.8 3.2 3.2',
  pause: 'M5.5 3v10m5-10v10',
  resume: 'M5 3.2v9.6L12.5 8 5 3.2Z',
  reload: 'M13.5 8a5.5 5.5 0 1 1-1.6-3.9L13.5 5.700m0-3.2v3.2h-3.2',
  plus: 'M8 3v10M3 8h10',
  back: 'M9.5 3.5 5 8l4.500 4.500',
  warning: 'M8 2 1.500 13.500h13L8 2Zm0 4.500v3.500m0 1.800v.2',
  download: 'M8 2.500v7.500m-3-3 3 3 3-3m-8.500 6.500h11',
  up: 'M8 12.500v-9m-3.500 3.500L8 3.500l3.500 3.500',
  down: 'M8 3.500v9m-3.500-3.500L8 12.500l3.500-3.500',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
