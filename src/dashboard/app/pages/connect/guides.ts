/// <reference path="../../assets.d.ts" />
/**
 * The set-up of each client, from docs/clients.md: the page of the documentation and this application say the same, because
 * they are the same text. Of Markdown it uses headings, paragraphs and blocks of code.
 */
import clients from '../../../../../docs/clients.md' with { type: 'text' };

interface GuideBlock {
  readonly kind: 'text' | 'code';
  /** Of code: what is shown above it. */
  readonly label: string;
  readonly text: string;
}

interface Guide {
  readonly name: string;
  readonly blocks: readonly GuideBlock[];
}

interface GuideValues {
  /** Where the gateway is reached, without /v1. */
  readonly origin: string;
  readonly key?: string | undefined;
  readonly model?: string | undefined;
}

const ORIGIN = 'https://gateway.example.com';
const KEY = 'sk-bve-YOUR-KEY';
const MODEL = 'gpt-4o';
const END = '<!-- The dashboard shows what is above this line. -->';

const LABELS: Readonly<Record<string, string>> = {
  bash: 'Shell',
  python: 'Python',
  ts: 'TypeScript',
  js: 'JavaScript',
  json: 'JSON',
  toml: 'TOML',
  yaml: 'YAML',
  text: 'Text',
};

export const GUIDES: readonly Guide[] = parseGuides(clients);

export function parseGuides(markdown: string): Guide[] {
  const shown = markdown.split(END)[0]!;
  return shown
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [name, ...lines] = section.split('\n');
      return { name: name!.trim(), blocks: parseBlocks(lines) };
    });
}

/** With the reader's own values instead of those of the documentation. */
export function fillIn(text: string, { origin, key, model }: GuideValues): string {
  let filled = text.replaceAll(ORIGIN, origin);
  if (key) filled = filled.replaceAll(KEY, key);
  if (model) filled = filled.replaceAll(MODEL, model);
  return filled;
}

/** The code of one client, ready to paste. */
export function guideBlocks(name: string, values: GuideValues): GuideBlock[] {
  const guide = GUIDES.find((one) => one.name === name);
  return (guide?.blocks ?? [])
    .filter((block) => block.kind === 'code')
    .map((block) => ({ ...block, text: fillIn(block.text, values) }));
}

function parseBlocks(lines: readonly string[]): GuideBlock[] {
  const blocks: GuideBlock[] = [];
  let paragraph: string[] = [];
  const endParagraph = () => {
    if (paragraph.length > 0) blocks.push({ kind: 'text', label: '', text: paragraph.join(' ') });
    paragraph = [];
  };
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (line.startsWith('```')) {
      endParagraph();
      const end = lines.indexOf('```', i + 1);
      const language = line.slice(3).trim();
      blocks.push({ kind: 'code', label: LABELS[language] ?? language, text: lines.slice(i + 1, end).join('\n') });
      i = end;
    } else if (line.trim() === '') endParagraph();
    else paragraph.push(line.trim());
  }
  endParagraph();
  return blocks;
}
