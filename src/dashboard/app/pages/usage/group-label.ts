import { keyName } from '../../state/key-directory.ts';

/** What a group is called; `split` says what it is a group of. */
export function groupLabel(group: string | null, split: string): string {
  if (group === null || group === '') return split.startsWith('tag:') ? 'without the tag' : 'none';
  return split === 'key' ? keyName(group) : group;
}
